package fault

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/citycode/citycode/internal/db"
)

// elsewhere is an empty place that a copy of this one can be restored to: on
// PostgreSQL another database, in which the schema has the same name.
func (p place) elsewhere(t *testing.T) place {
	t.Helper()
	other := place{engine: p.engine, dir: filepath.Join(t.TempDir(), "restored")}
	if p.url == "" {
		return other
	}
	u, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	name := "restored_" + u.Query().Get("search_path")
	admin(t, p.url, fmt.Sprintf("create database %s template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'", name))
	t.Cleanup(func() { admin(t, p.url, "drop database "+name+" with (force)") })
	u.Path = "/" + name
	other.url = u.String()
	return other
}

func admin(t *testing.T, database, statement string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // for clean-ups
	c, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, statement); err != nil {
		t.Fatal(err)
	}
}

func TestABackupTakenWhileScansAreWrittenCanBeUsed(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		s := serving(t, p.demo("--people", "200")...)
		resident, verifier := s.signIn("resident-yellow"), s.signIn("verifier")
		before := []verification{verifier.scan(resident.show()), verifier.scan("no code")}
		l, reached := newLoad(), make(chan struct{})
		working := l.verifiers(verifier, 2, []string{resident.show()}, 50, reached)
		<-reached
		copies := filepath.Join(t.TempDir(), "copies")
		data, keys := filepath.Join(copies, "data"), filepath.Join(copies, "keys")
		backup := append(p.at("backup"), "--to", data, "--person-keys-to", keys)
		succeed(t, backup...)
		s.kill()
		working.Wait()
		refuse(t, "backup_exists", backup...)
		refuse(t, "backup_exists", append(p.at("backup"), "--to", filepath.Join(copies, "new"), "--person-keys-to", keys)...)
		if left, _ := os.ReadDir(filepath.Join(copies, "new")); len(left) > 0 {
			t.Errorf("half a backup was left: %v", left)
		}
		if r := command(t, append(p.at("backup"), "--to", data, "--person-keys-to", data)...); r.exit != 2 {
			t.Errorf("both copies in one folder: %s", r)
		}
		for _, pattern := range []string{"data/*", "keys/*"} {
			found, err := filepath.Glob(filepath.Join(copies, pattern))
			if err != nil || len(found) != 1 {
				t.Fatalf("%s: %v %v", pattern, found, err)
			}
			if info, err := os.Stat(found[0]); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v %v", found[0], info.Mode(), err)
			}
			if info, err := os.Stat(filepath.Dir(found[0])); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v %v", filepath.Dir(found[0]), info.Mode(), err)
			}
		}

		// What is refused leaves the place empty.
		to := p.elsewhere(t)
		restore := append(to.at("restore"), "--from", data, "--person-keys-from", keys)
		refuse(t, "key_file_missing", restore...)
		stranger := empty(t, db.SQLite)
		serving(t, stranger.serve()...).stop()
		copyKey(t, stranger, to)
		refuse(t, "key_file_wrong", restore...)
		copyKey(t, p, to)
		refuse(t, "no such file", append(to.at("restore"), "--from", data, "--person-keys-from", data)...)
		refuse(t, "no such file", append(to.at("restore"), "--from", keys, "--person-keys-from", keys)...)
		for _, damage := range []func([]byte) []byte{
			func(b []byte) []byte { return b[:len(b)*3/4] },
			func([]byte) []byte { return nil },
		} {
			damaged := damagedCopy(t, keys, damage)
			if r := command(t, append(to.at("restore"), "--from", data, "--person-keys-from", damaged)...); r.exit != 1 {
				t.Errorf("damaged keys: %s", r)
			}
		}

		start := time.Now()
		succeed(t, restore...)
		t.Logf("restored in %v", time.Since(start).Round(time.Millisecond))
		refuse(t, "not_empty", restore...)
		refuse(t, "not_empty", append(p.at("restore"), "--from", data, "--person-keys-from", keys)...)
		to.auditHolds(t)
		p.auditHolds(t)

		// The city goes on from there.
		s = serving(t, to.demo("--people", "200")...)
		again := s.signIn("verifier")
		for _, v := range before {
			var found verification
			again.must(http.StatusOK, http.MethodGet, "/v1/verifications/"+v.ID, nil, &found)
			if found.Outcome != v.Outcome {
				t.Errorf("%+v, was %+v", found, v)
			}
		}
		body := scanOf(s.signIn("resident-yellow").show())
		body["scene"] = "id-check"
		var v verification
		again.must(http.StatusOK, http.MethodPost, "/v1/verifications", body, &v)
		if v.Outcome != "valid" || v.Subject.Name != "李*" {
			t.Errorf("after the restore: %+v", v)
		}
		again.must(http.StatusOK, http.MethodGet, "/v1/verifications/"+v.ID+"/photo", nil, nil)
		if w := again.scan(s.signIn("resident-yellow").show()); w.Status.Color != "yellow" {
			t.Errorf("after the restore: %+v", w)
		}
		s.stop()
		to.auditHolds(t)
		census := to.open(t).Main
		if people, rows := count(t, census, "person"), count(t, census, "scan"); people != 205 || rows < int64(len(before)) || rows > int64(len(l.acked)+40) {
			t.Errorf("%d people and %d scans restored of %d", people, rows, len(l.acked))
		}
		identities(t, p, to)
	})
}

// damagedCopy copies a folder's only file and damages it.
func damagedCopy(t *testing.T, folder string, damage func([]byte) []byte) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(found[0])), damage(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// identities must differ: memories of the old database are not to be believed.
func identities(t *testing.T, a, b place) {
	t.Helper()
	first, err := a.open(t).Main.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.open(t).Main.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Error("the restored database has the identity of the lost one")
	}
}

// The log of a database that was deleted by hand would be applied to the one
// that is put in its place.
func TestARestoreOverALeftLogIsRefused(t *testing.T) {
	t.Parallel()
	p := empty(t, db.SQLite)
	serving(t, p.demo("--people", "5")...).stop()
	copies := t.TempDir()
	succeed(t, append(p.at("backup"), "--to", filepath.Join(copies, "data"), "--person-keys-to", filepath.Join(copies, "keys"))...)
	for _, left := range []string{"citycode.db-wal", "person-keys.db", "person-keys.db-journal"} {
		to := p.elsewhere(t)
		copyKey(t, p, to)
		if err := os.WriteFile(filepath.Join(to.dir, left), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		refuse(t, "not_empty", append(to.at("restore"), "--from", filepath.Join(copies, "data"), "--person-keys-from", filepath.Join(copies, "keys"))...)
		if _, err := os.Stat(filepath.Join(to.dir, "citycode.db")); err == nil {
			t.Errorf("beside %s a database was put", left)
		}
	}
	refuse(t, "no_database", append(place{dir: t.TempDir()}.at("backup"), "--to", filepath.Join(copies, "x"), "--person-keys-to", filepath.Join(copies, "y"))...)
}

// A dump remembers its schema: restored under another name it would land in the
// one it came from, perhaps over a city that is in use.
func TestADumpOfAnotherSchemaIsRefused(t *testing.T) {
	t.Parallel()
	p := empty(t, db.PostgreSQL)
	serving(t, p.demo("--people", "5")...).stop()
	copies := t.TempDir()
	data, keys := filepath.Join(copies, "data"), filepath.Join(copies, "keys")
	succeed(t, append(p.at("backup"), "--to", data, "--person-keys-to", keys)...)
	to := empty(t, db.PostgreSQL)
	copyKey(t, p, to)
	refuse(t, "other_schema", append(to.at("restore"), "--from", data, "--person-keys-from", keys)...)
	p.auditHolds(t)
}

// The schema public is there in every new database, and belongs to it.
func TestASchemaThatIsThereAlreadyIsTaken(t *testing.T) {
	t.Parallel()
	origin := empty(t, db.PostgreSQL)
	p := origin.elsewhere(t)
	p.url = strings.Replace(p.url, "search_path=", "application_name=", 1)
	serving(t, p.demo("--people", "5")...).stop()
	copies := t.TempDir()
	data, keys := filepath.Join(copies, "data"), filepath.Join(copies, "keys")
	succeed(t, append(p.at("backup"), "--to", data, "--person-keys-to", keys)...)
	second := empty(t, db.PostgreSQL)
	to := second.elsewhere(t)
	to.url = strings.Replace(to.url, "search_path=", "application_name=", 1)
	copyKey(t, p, to)
	succeed(t, append(to.at("restore"), "--from", data, "--person-keys-from", keys)...)
	to.auditHolds(t)
	d := to.open(t).Main
	var usable bool
	ask(t, d, "select has_schema_privilege('public', 'public', 'usage')", &usable)
	if !usable {
		t.Error("the restore took away everyone's right to use the schema public")
	}
}
