package fault

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/internal/db"
)

func TestServeStartsOnAnEmptyDatabaseAndHasNoDemo(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		s := serving(t, p.serve()...)
		c := &client{t: t, url: s.url}
		c.must(http.StatusNotFound, http.MethodGet, "/v1/demo/personas", nil, nil)
		c.must(http.StatusNotFound, http.MethodPost, "/v1/demo/sessions", map[string]any{"persona": "verifier"}, nil)
		var city struct {
			Demo   bool     `json:"demo"`
			SignIn []string `json:"sign_in"`
		}
		c.must(http.StatusOK, http.MethodGet, "/v1/city", nil, &city)
		if city.Demo || len(city.SignIn) != 0 {
			t.Errorf("/v1/city says %+v", city)
		}
		c.must(http.StatusUnauthorized, http.MethodPost, "/v1/codes", map[string]any{}, nil)
		s.stop()
		refuse(t, "not_a_demo", p.demo()...)
		s = serving(t, p.serve()...)
		s.stop()
		p.auditHolds(t)
	})
}

func TestServeRefusesADemosDatabase(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		s := serving(t, p.demo("--people", "5")...)
		refuse(t, "demo_database", p.serve()...) // while it runs
		s.stop()
		refuse(t, "demo_database", p.serve()...)
		serving(t, p.demo("--people", "5")...).stop()
	})
}

// A killed demo has marked its database before anything else was in it.
func TestADemoKilledBeforeItHadPeopleStaysADemo(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		s := launch(t, p.demo("--people", "5000")...)
		s.listening()
		s.kill()
		refuse(t, "demo_database", p.serve()...)
	})
}

func TestAKeyFileThatIsNotRightIsRefusedInWords(t *testing.T) {
	t.Parallel()
	p, other := empty(t, db.SQLite), empty(t, db.SQLite)
	serving(t, p.serve()...).stop()
	serving(t, other.serve()...).stop()
	right, err := os.ReadFile(p.keyFile())
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := os.ReadFile(other.keyFile())
	if err != nil {
		t.Fatal(err)
	}
	put := func(text []byte, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(p.keyFile(), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p.keyFile(), mode); err != nil {
			t.Fatal(err)
		}
	}
	commands := [][]string{p.serve(), p.at("key", "list"), p.at("key", "rotate"), p.at("audit", "verify"),
		append(p.at("import", "people"), peopleFile(t, nil))}
	for _, c := range []struct {
		text []byte
		mode os.FileMode
		says string
	}{
		{right, 0o640, "key_file_readable"},
		{right, 0o604, "key_file_readable"},
		{right, 0o660, "key_file_readable"},
		{wrong, 0o600, "key_file_wrong"},
		{right[:len(right)-5], 0o600, "key_file_damaged"},
		{nil, 0o600, "key_file_damaged"},
	} {
		put(c.text, c.mode)
		for _, args := range commands {
			refuse(t, c.says, args...)
		}
	}
	if err := os.Remove(p.keyFile()); err != nil {
		t.Fatal(err)
	}
	for _, args := range commands {
		refuse(t, "key_file_missing", args...)
	}
	if _, err := os.Stat(p.keyFile()); err == nil {
		t.Error("a key file was made for a database that has another")
	}
	put(right, 0o600)
	serving(t, p.serve()...).stop()
	p.auditHolds(t)
}

func TestForeignFilesInTheFolderAreLeftAlone(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		foreign := map[string]string{
			"README": "ours", "citycode.db.bak": "an old copy", "status-another-node.snap": "not a snapshot of this one", "status-another-node.snap.tmp": "half",
			".key-old": "x", "people.csv": "name\n", "photos/1.jpg": "x", "citycode.key.old": "x", "lost+found/x": "y",
		}
		for name, text := range foreign {
			path := filepath.Join(p.dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		serving(t, p.demo("--people", "5")...).stop()
		serving(t, p.demo("--people", "5")...).kill()
		succeed(t, p.at("key", "rotate")...)
		p.auditHolds(t)
		found := map[string]string{}
		for name := range foreign {
			text, err := os.ReadFile(filepath.Join(p.dir, name))
			if err != nil {
				t.Error(err)
			}
			found[name] = string(text)
		}
		if diff := cmp.Diff(foreign, found); diff != "" {
			t.Error(diff)
		}
	})
}

func TestADemoWithoutAFolderLeavesNone(t *testing.T) {
	t.Parallel()
	temporary := t.TempDir()
	s := launchAs(t, nil, []string{"TMPDIR=" + temporary}, "demo", "--listen", "127.0.0.1:0", "--people", "5")
	s.listening()
	s.ready()
	s.stop()
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
