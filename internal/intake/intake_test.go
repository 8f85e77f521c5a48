package intake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/keys"
	"github.com/citycode/citycode/internal/tabular"
)

func now() time.Time { return time.Date(2026, 11, 22, 6, 3, 5, 0, time.UTC) }

func config(t *testing.T, d *dbtest.Pair) Config {
	t.Helper()
	file, err := keys.CreateFile(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := keys.Open(t.Context(), keys.Config{DB: d.Main, File: file, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	node, err := commit.Open(t.Context(), commit.Config{DB: d.Main, Keys: keeper, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return Config{DB: d.Main, Node: node, Now: now}
}

// clerk takes rows of a key and a value, and notes how they came.
type clerk struct {
	c      Config
	chunks []int
	failAt int // the chunk that fails, from 1
}

func (k *clerk) job(path string) Job[string] {
	return Job[string]{
		Kind: "test", Path: path,
		Columns: []tabular.Column{{Name: "key", Required: true}, {Name: "value"}, {Name: "weight"}},
		Parse: func(row tabular.Row) Parsed[string] {
			if row.Fields["key"] == "" {
				return Parsed[string]{Reason: "no_key"}
			}
			p := Parsed[string]{Item: row.Fields["key"], Key: row.Fields["key"], Same: row.Fields["value"]}
			fmt.Sscan(row.Fields["weight"], &p.Bytes)
			return p
		},
		Write: func(ctx context.Context, items []string, advance Advance) ([]Result, error) {
			k.chunks = append(k.chunks, len(items))
			results := make([]Result, len(items))
			err := k.c.Node.Do(ctx, func(ctx context.Context, tx *commit.Tx) error {
				for i, x := range items {
					results[i] = Result{Outcome: Created}
					if strings.HasPrefix(x, "bad") {
						results[i] = Result{Reason: "bad"}
					}
				}
				if len(k.chunks) == k.failAt {
					return errors.New("on purpose")
				}
				return advance(ctx, tx)
			})
			return results, err
		},
	}
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte("key,value,weight\n"+content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func rows(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "k%d,v,\n", i)
	}
	return b.String()
}

func TestChunksHoldAThousandRowsOrEightMegabytes(t *testing.T) {
	c := config(t, dbtest.Open(t, db.SQLite))
	for name, x := range map[string]struct {
		content string
		want    []int
	}{
		"many rows":         {rows(0, 2300), []int{1000, 1000, 300}},
		"heavy rows":        {"a,v,8388608\nb,v,1\nc,v,8388607\nd,v,1\n", []int{1, 2, 1}},
		"nothing":           {"", nil},
		"nothing but waste": {strings.Repeat(",v,\n", 6000), nil},
		"waste in between":  {rows(0, 10) + strings.Repeat(",v,\n", 6000) + rows(10, 20), []int{10, 10}},
	} {
		t.Run(name, func(t *testing.T) {
			k := &clerk{c: c}
			r, err := Run(t.Context(), c, k.job(write(t, x.content)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(x.want, k.chunks); diff != "" {
				t.Error(diff)
			}
			if r.Rows != strings.Count(x.content, "\n") || r.Rows != r.Created+r.Updated+r.Unchanged+r.Rejected {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestRejectsComeInTheOrderOfTheFileWhoeverRefused(t *testing.T) {
	c := config(t, dbtest.Open(t, db.SQLite))
	k := &clerk{c: c}
	r, err := Run(t.Context(), c, k.job(write(t, "bad1,v,\n,v,\na,v,\nbad2,v,\na,w,\na,v,\nx\nbad1,v,\n")))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(r.RejectsFile)
	if err != nil {
		t.Fatal(err)
	}
	want := "row,reason,key,value,weight\n2,bad,bad1,v,\n3,no_key,,v,\n5,bad,bad2,v,\n6,duplicate_row,a,w,\n8,too_few_columns,x\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	if r.Created != 1 || r.Unchanged != 2 || r.Rejected != 5 {
		t.Errorf("%+v", r)
	}
}

func TestAChunkThatFailsIsTheOneToGoOnWith(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := config(t, d)
		path := write(t, rows(0, 3500))
		k := &clerk{c: c, failAt: 3}
		r, err := Run(t.Context(), c, k.job(path))
		if err == nil || r.Rows != 2000 || r.Created != 2000 {
			t.Fatalf("%+v %v", r, err)
		}
		k = &clerk{c: c}
		if r, err = Run(t.Context(), c, k.job(path)); err != nil || r.Resumed != 2000 || r.Unchanged != 2000 || r.Created != 1500 {
			t.Errorf("%+v %v", r, err)
		}
		if diff := cmp.Diff([]int{1000, 500}, k.chunks); diff != "" {
			t.Error(diff)
		}
		// Finished: the same file again is looked at as a whole.
		k = &clerk{c: c}
		if r, err = Run(t.Context(), c, k.job(path)); err != nil || r.Resumed != 0 || len(k.chunks) != 4 {
			t.Errorf("%+v %v", r, err)
		}
		// One byte more is another file.
		k = &clerk{c: c, failAt: 2}
		if _, err = Run(t.Context(), c, k.job(path)); err == nil {
			t.Fatal("not failed")
		}
		text, _ := os.ReadFile(path)
		os.WriteFile(path, append(text, "k9999,v,\n"...), 0o600)
		k = &clerk{c: c}
		if r, err = Run(t.Context(), c, k.job(path)); err != nil || r.Resumed != 0 || r.Rows != 3501 {
			t.Errorf("%+v %v", r, err)
		}
	})
}

func TestTheAuditChainTellsBeginAndEndInCounts(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	c := config(t, d)
	k := &clerk{c: c}
	if _, err := Run(t.Context(), c, k.job(write(t, "secret1,v,\nbad,v,\n"))); err != nil {
		t.Fatal(err)
	}
	var bodies []string
	err := d.Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
		rows, err := q.Query(ctx, `select kind || ' ' || body from audit_entry where kind in ('import.begin', 'import.end') order by seq`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var b string
			if err := rows.Scan(&b); err != nil {
				return err
			}
			bodies = append(bodies, b)
		}
		return rows.Err()
	})
	if err != nil || len(bodies) != 2 {
		t.Fatalf("%v %v", bodies, err)
	}
	for i, want := range []string{`import.begin `, `"rows":2`} {
		if !strings.Contains(bodies[i], want) || strings.Contains(bodies[i], "secret") {
			t.Errorf("%s", bodies[i])
		}
	}
}
