package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
)

// TestMain lets this test binary be citycode, too: scripts and tests run it as
// a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"citycode": main})
}

// Scripts of commands that work on a city, on both engines: where it lies stands
// in the environment.
func TestScripts(t *testing.T) {
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			p := params("script")
			p.Setup = func(e *testscript.Env) error {
				e.Setenv("CITYCODE_DATA", filepath.Join(e.WorkDir, "data"))
				e.Setenv("CITYCODE_LOG_LEVEL", "error")
				if engine == db.PostgreSQL {
					e.Setenv("CITYCODE_DATABASE", dbtest.Fresh(e.T().(testing.TB), engine).URL)
				}
				return os.Mkdir(filepath.Join(e.WorkDir, "data"), 0o700)
			}
			testscript.Run(t, p)
		})
	}
}

// Scripts that say all by themselves.
func TestPlainScripts(t *testing.T) { testscript.Run(t, params("plain")) }

func params(folder string) testscript.Params {
	return testscript.Params{Dir: filepath.Join("testdata", folder), Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"exits": exits, "encode": encode, "mode": mode, "example": example, "cut": cut,
	}}
}

// example copies a file of the folder deploy.
func example(ts *testscript.TestScript, _ bool, args []string) {
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
}

// exits runs a command and compares its exit status: exits 2 citycode nonsense.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	have := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		have = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if have != want {
		ts.Fatalf("exit status %d, want %d", have, want)
	}
}

// encode writes a UTF-8 file in another encoding: encode gb18030 in.csv out.csv.
func encode(ts *testscript.TestScript, _ bool, args []string) {
	encodings := map[string]encoding.Encoding{
		"gb18030": simplifiedchinese.GB18030, "utf-8-bom": unicode.UTF8BOM, "utf-16le": unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
	}
	text, err := encodings[args[0]].NewEncoder().String(ts.ReadFile(args[1]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(text), 0o600))
}

// cut takes bytes off a file's end: cut 1 half.csv.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	text := ts.ReadFile(args[1])
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text[:len(text)-n]), 0o600))
}

// mode checks who may read a file: mode 0600 people.rejects.csv.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if have := fmt.Sprintf("%04o", info.Mode().Perm()); have != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], have, args[0])
	}
}
