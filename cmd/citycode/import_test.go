package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/idnum"
)

// patience bounds every wait: long enough for any machine.
const patience = 60 * time.Second

// crowd is a file of people.
func crowd(t *testing.T, rows int) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("name,document_kind,document_number,phone,birth_date\n")
	for i := range rows {
		birth := time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i/500)
		first := fmt.Sprintf("110101%s%03d", birth.Format("20060102"), 1+i%500)
		fmt.Fprintf(&text, "张%c%c,resident_id,%s,154%08d,%s\n", '一'+rune(i%1000), '丁'+rune(i/1000), first+string(idnum.CheckDigit(first)), i, birth.Format(time.DateOnly))
	}
	file := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// progress is how far an import has come in the database.
type progress struct{ done, people, index, statuses int64 }

func look(t *testing.T, d *db.DB) (p progress) {
	t.Helper()
	err := d.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
		// One statement, so that it sees one moment.
		return q.QueryRow(ctx, `select (select coalesce(max(done_rows), 0) from import_job), (select count(*) from person),
			(select count(*) from person_index), (select count(*) from status)`).Scan(&p.done, &p.people, &p.index, &p.statuses)
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAKilledImportIsTakenUpWithNothingHalfDone(t *testing.T) {
	const rows = 12_000
	for _, engine := range []db.Engine{db.SQLite, db.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			dir, file, before := t.TempDir(), crowd(t, rows), dbtest.Fresh(t, engine)
			at := []string{"--data", dir, "--log-level", "error"}
			if before.URL != "" {
				at = append(at, "--database", before.URL)
			}
			citycode := func(words ...string) (c *exec.Cmd, out, said *bytes.Buffer) {
				c = exec.CommandContext(t.Context(), "citycode", append(words, at...)...)
				out, said = &bytes.Buffer{}, &bytes.Buffer{}
				c.Stdout, c.Stderr = out, said
				return c, out, said
			}
			migrate, _, said := citycode("migrate")
			if err := migrate.Run(); err != nil {
				t.Fatal(err, said)
			}
			d := dbtest.OpenAt(t, map[bool]string{true: dir}[before.URL == ""], before.URL).Main
			for _, stop := range []struct {
				goal   int64
				signal os.Signal
			}{{1, os.Kill}, {5000, syscall.SIGTERM}} {
				run, _, said := citycode("import", "people", file)
				if err := run.Start(); err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() { ended <- run.Wait() }()
				for end := time.Now().Add(patience); look(t, d).done < stop.goal; time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("not %d rows in %v", stop.goal, patience)
					}
				}
				if err := run.Process.Signal(stop.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
					t.Fatal(err)
				}
				<-ended
				p := look(t, d)
				if code := run.ProcessState.ExitCode(); p.done < rows && stop.signal == syscall.SIGTERM && (code != 1 || !strings.Contains(said.String(), "run the same command again")) {
					t.Errorf("told to end after %d rows: exit %d, %s", p.done, code, said)
				}
				if p.people != p.done || p.index != p.done || p.statuses != p.done || p.done%1000 != 0 {
					t.Errorf("killed after %d rows: %+v", p.done, p)
				}
				verify, out, said := citycode("audit", "verify")
				if err := verify.Run(); err != nil {
					t.Errorf("audit verify: %v %s%s", err, out, said)
				}
			}
			p := look(t, d)
			last, out, said := citycode("import", "people", "--json", file)
			if err := last.Run(); err != nil {
				t.Fatalf("%v %s%s", err, out, said)
			}
			var report struct{ Rows, Created, Updated, Unchanged, Resumed, Rejected int64 }
			if err := json.Unmarshal(out.Bytes(), &report); err != nil {
				t.Fatal(err)
			}
			if report.Rows != rows || report.Created != rows-p.done || report.Unchanged != p.done || report.Updated+report.Rejected != 0 {
				t.Errorf("taken up after %d rows: %+v", p.done, report)
			}
			if p.done < rows && report.Resumed != p.done {
				t.Errorf("taken up after %d rows: %+v", p.done, report)
			}
			if p := look(t, d); p.people != rows || p.index != rows || p.statuses != rows {
				t.Errorf("in the end: %+v", p)
			}
			if _, err := os.Stat(strings.TrimSuffix(file, ".csv") + ".rejects.csv.partial"); err == nil {
				t.Error("the killed run's rejects are still there")
			}
			verify, out, said := citycode("audit", "verify")
			if err := verify.Run(); err != nil {
				t.Errorf("audit verify: %v %s%s", err, out, said)
			}
			t.Logf("taken up after %d of %d rows", p.done, rows)
		})
	}
}
