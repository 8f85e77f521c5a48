package tabular

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func rejectAll(t *testing.T, f *File, path string) *Rejects {
	t.Helper()
	r, err := f.NewRejects(path)
	if err != nil {
		t.Fatal(err)
	}
	for {
		row, err := f.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		reason := row.Problem
		if reason == "" {
			reason = "invalid_name"
		}
		r.Add(row, reason)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRejectsSayRowAndReasonFirstAndKeepTheRow(t *testing.T) {
	for name, c := range map[string]struct{ file, in, rejects, want string }{
		"CSV": {"people.csv", "姓名,证件号码,remark\n张三,1,\"a,b\"\n李四\n王\"五,2,x\n", "people.rejects.csv",
			"row,reason,姓名,证件号码,remark\n2,invalid_name,张三,1,\"a,b\"\n3,too_few_columns,李四\n4,bad_quotes,王五,2,x\n"},
		"GBK becomes UTF-8 with a mark": {"people.csv", gb(t, "姓名,证件号码\n张三,1\n"), "people.rejects.csv",
			"\ufeffrow,reason,姓名,证件号码\n2,invalid_name,张三,1\n"},
		"formulas are disarmed": {"people.csv", "name,document_number\n=1+1,+86 138\n@x,-1+cmd\n", "people.rejects.csv",
			"row,reason,name,document_number\n2,invalid_name,'=1+1,+86 138\n3,invalid_name,'@x,'-1+cmd\n"},
		"NDJSON": {"people.ndjson", "{\"name\":\"张三\",\"x\":{\"y\":1}}\n{}\noops \"\n", "people.rejects.ndjson",
			"{\"row\":1,\"reason\":\"invalid_name\",\"name\":\"张三\",\"x\":{\"y\":1}}\n{\"row\":2,\"reason\":\"invalid_name\"}\n{\"row\":3,\"reason\":\"bad_json\",\"line\":\"oops \\\"\"}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.file, c.in)
			f, err := Open(path, people...)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r := rejectAll(t, f, "")
			if want := filepath.Join(filepath.Dir(path), c.rejects); r.Path() != want {
				t.Fatalf("path %s, want %s", r.Path(), want)
			}
			got, err := os.ReadFile(r.Path())
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if info, _ := os.Stat(r.Path()); info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v", info.Mode())
			}
		})
	}
}

func TestARejectsFileCanBeHandedInAgain(t *testing.T) {
	f, err := Open(write(t, "people.csv", gb(t, "姓名,身份证号\n张三,1\n")), people...)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	again, err := Open(rejectAll(t, f, "").Path(), people...)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := rows(t, again); len(got) != 1 || got[0] != "2:张三|1|" {
		t.Errorf("got %v", got)
	}
}

func TestRejectsReplaceThoseOfTheRunBefore(t *testing.T) {
	path := write(t, "people.csv", "name,document_number\n张三,1\n")
	rejects := RejectsPath(path)
	// Readable by all, and a link where the new file is written: neither may
	// survive.
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := errors.Join(os.WriteFile(rejects, []byte("old"), 0o644), os.Symlink(elsewhere, rejects+".partial")); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path, people...)
	if err != nil {
		t.Fatal(err)
	}
	rejectAll(t, f, "")
	if info, err := os.Stat(rejects); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if _, err := os.Stat(elsewhere); err == nil {
		t.Error("the link was followed")
	}

	r, err := f.NewRejects("")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if r.Path() != "" || r.Count() != 0 {
		t.Errorf("a run without rejects names %q", r.Path())
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*rejects*"))
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRejectsThatCannotBeWrittenFailBeforeTheImport(t *testing.T) {
	path := write(t, "people.csv", "name,document_number\n张三,1\n")
	f, err := Open(path, people...)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.NewRejects(filepath.Join(t.TempDir(), "no", "such", "folder.csv")); err == nil {
		t.Error("no error for a folder that isn't there")
	}
	if _, err := f.NewRejects(path); err == nil || !strings.Contains(err.Error(), "overwrite") {
		t.Errorf("the input as rejects file gave %v", err)
	}
}

func TestSeenTellsTheSameRowFromAnotherOfTheSamePerson(t *testing.T) {
	s := NewSeen()
	for _, c := range []struct {
		key, content string
		want         Verdict
	}{
		{"1", "张三", First}, {"2", "张三", First}, {"1", "张三", Same}, {"1", "李四", Another}, {"1", "张三", Same},
	} {
		if got := s.Check(c.key, c.content); got != c.want {
			t.Errorf("Check(%q, %q) = %v, want %v", c.key, c.content, got, c.want)
		}
	}
}
