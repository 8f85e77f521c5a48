package db_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
)

type (
	word   string
	number uint64
	digest [4]byte
	blob   []byte
)

func valueTable(t testing.TB, d *db.DB) {
	t.Helper()
	write(t, d, "create table value (id bigint primary key, t text, n bigint, b boolean, y bytea)")
}

func TestValuesComeBackAsTheyWent(t *testing.T) {
	type row struct {
		T *string
		N *int64
		B *bool
		Y []byte
	}
	p := func(s string) *string { return &s }
	n := func(i int64) *int64 { return &i }
	yes, no := true, false
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	w := word("named")
	tests := []struct {
		args []any
		want row
	}{
		{[]any{"text", int64(7), true, []byte{1, 2}}, row{p("text"), n(7), &yes, []byte{1, 2}}},
		{[]any{"", 0, false, []byte{}}, row{p(""), n(0), &no, []byte{}}},
		{[]any{nil, nil, nil, nil}, row{}},
		{[]any{(*string)(nil), (*int64)(nil), (*bool)(nil), []byte(nil)}, row{}},
		{[]any{"赵敏·𠮷 🀄\n\t'\"\\ $1 ?", int64(math.MaxInt64), true, all}, row{p("赵敏·𠮷 🀄\n\t'\"\\ $1 ?"), n(math.MaxInt64), &yes, all}},
		{[]any{"\uFFFD\u200B\U0010FFFF", int64(math.MinInt64), false, all[:1]}, row{p("\uFFFD\u200B\U0010FFFF"), n(math.MinInt64), &no, all[:1]}},
		{[]any{w, number(9), &yes, digest{1, 2, 3, 4}}, row{p("named"), n(9), &yes, []byte{1, 2, 3, 4}}},
		{[]any{&w, uint8(255), true, blob{5}}, row{p("named"), n(255), &yes, []byte{5}}},
		{[]any{strings.Repeat("长", 100_000), int32(-1), true, make([]byte, 1<<20)}, row{p(strings.Repeat("长", 100_000)), n(-1), &yes, make([]byte, 1<<20)}},
	}
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		valueTable(t, d.Main)
		for i, test := range tests {
			write(t, d.Main, "insert into value (id, t, n, b, y) values ($1, $2, $3, $4, $5)", append([]any{i}, test.args...)...)
			var got row
			err := d.Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
				return q.QueryRow(ctx, "select t, n, b, y from value where id = $1", i).Scan(&got.T, &got.N, &got.B, &got.Y)
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("row %d: %s", i, diff)
			}
		}
	})
}

func TestScanFillsNamedTypesAndPlainOnes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		valueTable(t, d.Main)
		write(t, d.Main, "insert into value (id, t, n, b, y) values (1, 'x', 5, true, $1)", []byte{8, 9})
		var w word
		var n number
		var i int
		var b bool
		var y blob
		err := d.Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
			return q.QueryRow(ctx, "select t, n, n, b, y from value").Scan(&w, &n, &i, &b, &y)
		})
		if err != nil || w != "x" || n != 5 || i != 5 || !b || string(y) != "\x08\x09" {
			t.Errorf("%q %d %d %t %x, %v", w, n, i, b, y, err)
		}
	})
}

func TestBytesStayWhenTheNextRowComes(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		valueTable(t, d.Main)
		write(t, d.Main, "insert into value (id, y) values (1, $1), (2, $2)", []byte("one"), []byte("two"))
		var got [][]byte
		err := d.Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
			rows, err := q.Query(ctx, "select y from value order by id")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var y []byte
				if err := rows.Scan(&y); err != nil {
					return err
				}
				got = append(got, y)
			}
			return rows.Err()
		})
		if err != nil || len(got) != 2 || string(got[0]) != "one" || string(got[1]) != "two" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestBadTextIsRefusedBeforeTheDatabaseSeesIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		valueTable(t, d.Main)
		bad := "bad\xffsecret"
		for _, arg := range []any{"a\x00b", bad, word(bad), &bad} {
			err := d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
				_, err := q.Exec(ctx, "insert into value (id, t) values (1, $1)", arg)
				return err
			})
			if fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) != "bad_text" || strings.Contains(err.Error(), "secret") {
				t.Errorf("%T %q: %v", arg, arg, err)
			}
		}
	})
}

func TestOtherTypesAreRefused(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		valueTable(t, d.Main)
		for _, arg := range []any{1.5, time.Unix(0, 0), struct{}{}, map[string]int{}, uint64(math.MaxUint64), number(1 << 63)} {
			err := d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
				_, err := q.Exec(ctx, "insert into value (id, n) values (1, $1)", arg)
				return err
			})
			if err == nil {
				t.Errorf("%T was taken", arg)
			}
		}
		err := d.Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
			var n int64
			return q.QueryRow(ctx, "select count(*) from value where n = any($1)", []int64{1}).Scan(&n)
		})
		if slices := err == nil; slices != (d.Main.Engine() == db.PostgreSQL) {
			t.Errorf("a slice: %v", err)
		}
	})
}

func TestSlicesUnnest(t *testing.T) {
	d := dbtest.Open(t, db.PostgreSQL)
	valueTable(t, d.Main)
	seven := int64(7)
	write(t, d.Main, "insert into value (id, t, n, b, y) select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::boolean[], $5::bytea[])",
		[]number{1, 2}, []word{"a", "b"}, []*int64{&seven, nil}, []bool{true, false}, [][]byte{{1}, nil})
	var got []string
	err := d.Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
		rows, err := q.Query(ctx, "select id, t, n, b, y from value order by id")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			var t string
			var n *int64
			var b bool
			var y []byte
			if err := rows.Scan(&id, &t, &n, &b, &y); err != nil {
				return err
			}
			got = append(got, fmt.Sprintf("%d %s %t %t %v", id, t, n == nil, b, y))
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1 a false true [1]", "2 b true false []"}, got); diff != "" {
		t.Error(diff)
	}
	err = d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
		_, err := q.Exec(ctx, "insert into value (id, t) select * from unnest($1::bigint[], $2::text[])", []int64{3}, []string{"a\x00"})
		return err
	})
	if fault.CodeOf(err) != "bad_text" {
		t.Errorf("got %v", err)
	}
}

func TestErrorsQuoteNoValue(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		valueTable(t, d.Main)
		write(t, d.Main, "insert into value (id, t) values (1, '赵敏')")
		write(t, d.Main, "create unique index value_t on value (t)")
		for name, f := range map[string]func(ctx context.Context, q db.Querier) error{
			"scanning": func(ctx context.Context, q db.Querier) error {
				var n int64
				return q.QueryRow(ctx, "select t from value").Scan(&n)
			},
			"encoding": func(ctx context.Context, q db.Querier) error {
				if d.Main.Engine() == db.SQLite {
					var n int64
					return q.QueryRow(ctx, "select t from value where t = $1", "赵敏").Scan(&n)
				}
				_, err := q.Exec(ctx, "update value set n = $1", "赵敏")
				return err
			},
			"unique": func(ctx context.Context, q db.Querier) error {
				_, err := q.Exec(ctx, "insert into value (id, t) values (2, $1)", "赵敏")
				return err
			},
			"casting": func(ctx context.Context, q db.Querier) error {
				if d.Main.Engine() == db.SQLite {
					return fmt.Errorf("SQLite gives 0")
				}
				_, err := q.Exec(ctx, "update value set n = cast($1::text as bigint)", "赵敏")
				return err
			},
		} {
			err := d.Main.Append(t.Context(), f)
			if err == nil {
				t.Errorf("%s: no error", name)
			} else if strings.Contains(err.Error(), "赵") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestTextIsOrderedByItsBytes(t *testing.T) {
	words := []string{"", " ", "-", "A", "B", "Z", "_", "a", "ab", "b", "z", "ä", "中", "文", "\uFFFD", "𠮷"}
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		valueTable(t, d.Main)
		for i := range words {
			k := (i*7 + 3) % len(words)
			write(t, d.Main, "insert into value (id, t) values ($1, $2)", k, words[k])
		}
		var got []string
		err := d.Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
			rows, err := q.Query(ctx, "select t from value where t >= $1 order by t", "")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var s string
				if err := rows.Scan(&s); err != nil {
					return err
				}
				got = append(got, s)
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(words, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestTheCommonSubset runs what the program's statements are made of.
func TestTheCommonSubset(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		valueTable(t, d.Main)
		err := d.Main.Tx(t.Context(), func(ctx context.Context, q db.Querier) error {
			for _, id := range []int64{1, 2, 3, 2} {
				var n int64
				err := q.QueryRow(ctx, "insert into value (id, n, b) values ($1, 1, true) on conflict (id) do update set n = value.n + excluded.n returning n", id).Scan(&n)
				if err != nil {
					return err
				}
			}
			for _, text := range []string{
				"select id from value where (n, id) > ($1, $2) order by n, id limit 1",
				"with w as (select id, row_number() over (order by n desc, id) as place from value where b) select id from w where place = 1 and $1 < $2 + 1",
			} {
				var id int64
				if err := q.QueryRow(ctx, text, 1, 3).Scan(&id); err != nil || id != 2 {
					t.Errorf("%s: %d, %v", text, id, err)
				}
			}
			n, err := q.Exec(ctx, "update value set b = not b where id <> $1", 2)
			if err != nil || n != 2 {
				t.Errorf("%d rows, %v", n, err)
			}
			if _, err := q.Exec(ctx, "create index value_open on value (n) where b"); err != nil {
				t.Error(err)
			}
			n, err = q.Exec(ctx, "delete from value where b and n = $1 and id = $2 and $1 > 0", 2, 2)
			if err != nil || n != 1 {
				t.Errorf("%d rows, %v", n, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
