package server

import (
	"slices"
	"strings"
	"testing"
)

func TestToolsGetAnAddressTheyKnowWithoutThePassword(t *testing.T) {
	for _, c := range []struct {
		database, url, path string
		env                 []string
	}{
		{"postgres://city@db.example.org/citycode", "postgres://city@db.example.org/citycode", "", nil},
		{"postgres://city:s3cret@db.example.org:5433/citycode?sslmode=verify-full", "postgres://city@db.example.org:5433/citycode?sslmode=verify-full", "", []string{"PGPASSWORD=s3cret"}},
		{"postgres:///citycode?host=/run/postgresql&user=city&password=s3cret", "postgres:///citycode?host=%2Frun%2Fpostgresql&user=city", "", []string{"PGPASSWORD=s3cret"}},
		{"postgres://db1,db2/citycode?target_session_attrs=read-write", "postgres://db1,db2/citycode?target_session_attrs=read-write", "", nil},
		{"postgresql://db/c?search_path=a", "postgresql://db/c?options=-c%20search_path%3Da", "a", nil},
		{`postgres://db/c?search_path="a b", c&options=-c work_mem=8MB`, `postgres://db/c?options=-c%20work_mem%3D8MB%20-c%20search_path%3D%22a%5C%20b%22%2C%5C%20c`, `"a b", c`, nil},
		{"postgres://db/c?pool_max_conns=4&default_query_exec_mode=exec&statement_timeout=5s", "postgres://db/c", "", nil},
	} {
		s, path, err := forTools(c.database)
		if err != nil || s.url != c.url || path != c.path || !slices.Equal(s.env, c.env) {
			t.Errorf("%s: %+v %q %v", c.database, s, path, err)
		}
		if s != nil && strings.Contains(s.url, "s3cret") {
			t.Errorf("%s: the password is in the address", c.database)
		}
	}
	for _, wrong := range []string{"mysql://db/c", "host=db password=s3cret", "postgres://city:s3cret%@db/c"} {
		if _, _, err := forTools(wrong); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
