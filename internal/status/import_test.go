package status

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/idnum"
)

// passports knows bearers of passports E0000001 and up: the handle is the
// number, to a limit.
type passports code.Handle

func (most passports) FindAll(_ context.Context, _ db.Querier, documents []idnum.Document) ([]code.Handle, error) {
	ids := make([]code.Handle, len(documents))
	for i, d := range documents {
		var n uint64
		if _, err := fmt.Sscanf(d.Number, "E%07d", &n); err == nil && n <= uint64(most) {
			ids[i] = code.Handle(n)
		}
	}
	return ids, nil
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "status.csv")
	if err := os.WriteFile(path, []byte("document_kind,document_number,scheme,color,reason_code\n"+content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (n *node) importFile(t *testing.T, path string, most passports) ImportReport {
	t.Helper()
	r, err := n.Import(t.Context(), path, ImportOptions{Finder: most})
	if err != nil {
		t.Fatal(err)
	}
	r.Seconds = 0
	return r
}

func TestStatusesOfAFileReachMemoryAndTheRestIsRejectedWithReasons(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := newClock()
		n := open(t, d, c, "", "a")
		n.create(t, 1, 2, 3, 4)
		n.load(t)
		path := file(t, "passport,E0000001,health,red,test_positive\n"+ // 2
			"护照,E0000002,,黄码,close_contact\n"+ // 3
			"passport,E0000003,health,GREEN,no_adverse_record\n"+ // 4: as it is
			"passport,E0000009,health,red,test_positive\n"+ // 5
			"passport,?,health,red,test_positive\n"+ // 6
			"badge,1,health,red,test_positive\n"+ // 7
			"passport,E0000004,travel,red,test_positive\n"+ // 8
			"passport,E0000004,health,blue,test_positive\n"+ // 9
			"passport,E0000004,health,none,test_positive\n"+ // 10
			"passport,E0000004,health,red,张三\n"+ // 11
			"passport,e 000-0001,health,red,test_positive\n"+ // 12: as row 2
			"passport,E0000001,health,yellow,test_positive\n"+ // 13: not so
			"passport,E0000004,health,re") // 14: half a file
		want := ImportReport{
			Rows: 13, Changed: 2, Unchanged: 2, Rejected: 9,
			Reasons: map[string]int{"unknown_person": 1, "invalid_id_number": 1, "unknown_document_kind": 1, "unknown_scheme": 1,
				"invalid_color": 2, "invalid_reason_code": 1, "duplicate_row": 1, "cut_line": 1},
			Notes:       map[string]int{"last_line_has_no_end": 1},
			RejectsFile: filepath.Join(filepath.Dir(path), "status.rejects.csv"),
		}
		if diff := cmp.Diff(want, n.importFile(t, path, 4)); diff != "" {
			t.Error(diff)
		}
		n.poll(t)
		for h, want := range map[code.Handle]string{1: "red test_positive", 2: "yellow close_contact", 3: "green no_adverse_record", 4: "green no_adverse_record"} {
			if e, _ := n.inMemory(h); e.Color.String()+" "+e.Reason != want {
				t.Errorf("person %d: %v %s, want %s", h, e.Color, e.Reason, want)
			}
		}
		rejects, err := os.ReadFile(want.RejectsFile)
		if lines := strings.Split(string(rejects), "\n"); err != nil || len(lines) != 11 || !strings.HasPrefix(lines[1], "5,unknown_person,passport,E0000009,") {
			t.Errorf("%v, rejects:\n%s", err, rejects)
		}

		// Once more, and then with the missing person there.
		want.Changed, want.Unchanged = 0, 4
		if diff := cmp.Diff(want, n.importFile(t, path, 4)); diff != "" {
			t.Error(diff)
		}
		if r := n.importFile(t, path, 9); r.Changed != 1 || r.Rejected != 8 {
			t.Errorf("%+v", r)
		}
	})
}

func TestAnImportOfStatusesStoppedHalfwayIsTakenUp(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		n := open(t, d, newClock(), "", "a")
		n.load(t)
		var rows strings.Builder
		for i := range 2500 {
			fmt.Fprintf(&rows, "passport,E%07d,health,yellow,close_contact\n", i+1)
		}
		path := file(t, rows.String())
		ctx, cancel := context.WithCancelCause(t.Context())
		_, err := n.Import(ctx, path, ImportOptions{Finder: passports(2400), Progress: func(int64, int64) { cancel(errors.New("stopped")) }})
		if err == nil {
			t.Fatal("not stopped")
		}
		// Person 7 moved away meanwhile: their row is rejected all the same.
		r, err := n.Import(t.Context(), path, ImportOptions{Finder: without{passports(2400), 7}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Rows != 2500 || r.Changed != 1400 || r.Unchanged != 999 || r.Resumed != 999 || r.Reasons["unknown_person"] != 101 {
			t.Errorf("%+v", r)
		}
		n.poll(t)
		if c := n.Counts(); c.Yellow != 2400 {
			t.Errorf("%+v", c)
		}
	})
}

// without is a finder that doesn't know one person any more.
type without struct {
	passports
	gone code.Handle
}

func (w without) FindAll(ctx context.Context, q db.Querier, documents []idnum.Document) ([]code.Handle, error) {
	ids, err := w.passports.FindAll(ctx, q, documents)
	for i := range ids {
		if ids[i] == w.gone {
			ids[i] = 0
		}
	}
	return ids, err
}

func TestAFileWithHundredsOfReasonsIsGivenUp(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	n := open(t, d, newClock(), "", "a")
	n.load(t)
	var rows strings.Builder
	for i := range 250 {
		fmt.Fprintf(&rows, "passport,E%07d,health,yellow,reason_%d\n", i+1, i)
	}
	_, err := n.Import(t.Context(), file(t, rows.String()), ImportOptions{Finder: passports(1000)})
	if fault.CodeOf(err) != "too_many_reasons" {
		t.Errorf("got %v", err)
	}
	n.poll(t)
	if n.Len() != 0 {
		t.Errorf("%d people got a status", n.Len())
	}
}

func TestASuspensionOutlastsAnImport(t *testing.T) {
	n := open(t, dbtest.Open(t, db.SQLite), newClock(), "", "a")
	n.create(t, 1)
	n.load(t)
	n.do(t, func(ctx context.Context, tx *commit.Tx) error { return n.SetFlags(ctx, tx, 1, true, false) })
	n.importFile(t, file(t, "passport,E0000001,health,red,test_positive\n"), 1)
	n.poll(t)
	if st := n.current(t, 1); !st.Suspended || st.Color != Red {
		t.Errorf("%+v", st)
	}
}
