package person

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/status"
)

func TestWhoIsPutIsFoundAndReadBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := open(t, d, nil)
		photo := picture(t, 240, 320)
		people := []Record{
			{Name: "欧阳𫖯", Document: resident("19900307", 1), Phone: "15400000001", BirthDate: "1990-03-07", Photo: photo},
			{Name: "Ana María Núñez", Document: idnum.Document{Kind: idnum.Passport, Number: "E1234567"}},
		}
		ids, err := c.Put(t.Context(), people)
		if err != nil || len(ids) != 2 || ids[0] == ids[1] {
			t.Fatalf("%v %v", ids, err)
		}
		want := []Person{
			{ID: ids[0], Name: "欧阳𫖯", Document: people[0].Document, Phone: "15400000001", BirthDate: "1990-03-07", State: Active, HasPhoto: true},
			{ID: ids[1], Name: "Ana María Núñez", Document: people[1].Document, State: Active},
		}
		for i, w := range want {
			got, err := c.Get(t.Context(), ids[i])
			if diff := cmp.Diff(w, got); diff != "" || err != nil {
				t.Errorf("%v %s", err, diff)
			}
			if id, err := c.Find(t.Context(), people[i].Document); id != ids[i] || err != nil {
				t.Errorf("Find: %v %v", id, err)
			}
			if st, ok, err := c.status.Current(t.Context(), ids[i]); !ok || err != nil || st.Color != status.Green {
				t.Errorf("status: %+v %v %v", st, ok, err)
			}
		}
		if got, err := c.Photo(t.Context(), ids[0]); err != nil || !bytes.Equal(got, photo) {
			t.Errorf("photo: %d bytes, %v", len(got), err)
		}
		names, err := c.Names(t.Context(), []ID{ids[0], ids[1], 99, ids[0]})
		if diff := cmp.Diff(map[ID]string{ids[0]: "欧阳𫖯", ids[1]: "Ana María Núñez"}, names); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
		err = d.Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
			found, err := c.FindAll(ctx, q, []idnum.Document{people[1].Document, resident("19900307", 2), people[0].Document})
			if diff := cmp.Diff([]code.Handle{ids[1], 0, ids[0]}, found); diff != "" {
				t.Error(diff)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestStrangersAreNotFound(t *testing.T) {
	c := open(t, dbtest.Open(t, db.SQLite), nil)
	_, err1 := c.Get(t.Context(), 5)
	_, err2 := c.Find(t.Context(), resident("19900307", 1))
	_, err3 := c.Photo(t.Context(), 5)
	err4 := c.SetState(t.Context(), 5, Suspended)
	for i, err := range []error{err1, err2, err3, err4} {
		if fault.KindOf(err) != fault.NotFound {
			t.Errorf("%d: %v", i, err)
		}
	}
	if ids, err := c.Put(t.Context(), nil); len(ids) != 0 || err != nil {
		t.Errorf("nobody: %v %v", ids, err)
	}
	if names, err := c.Names(t.Context(), nil); len(names) != 0 || err != nil {
		t.Errorf("no names: %v %v", names, err)
	}
}

func TestPuttingTheSameAgainChangesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := open(t, d, nil)
		one := Record{Name: "张三", Document: resident("19900307", 1), Phone: "15400000001", Photo: picture(t, 64, 64)}
		put := func(r Record) (id ID, sealed [2]string) {
			t.Helper()
			ids, err := c.Put(t.Context(), []Record{r})
			if err != nil {
				t.Fatal(err)
			}
			err = d.Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
				var a, b []byte
				err := q.QueryRow(ctx, `select p.sealed, f.sealed from person p, person_photo f where p.id = $1 and f.person = p.id`, int64(ids[0])).Scan(&a, &b)
				sealed = [2]string{string(a), string(b)}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return ids[0], sealed
		}
		id, before := put(one)
		if again, after := put(one); again != id || after != before {
			t.Error("the same record was written again")
		}
		without := one
		without.Photo = nil
		if _, after := put(without); after != before {
			t.Error("the same record without its photo was written")
		}
		moved := without
		moved.Phone = "15400000002"
		again, after := put(moved)
		if again != id || after[0] == before[0] || after[1] != before[1] {
			t.Error("a changed phone isn't written, or the photo is")
		}
		if p, err := c.Get(t.Context(), id); err != nil || p.Phone != "15400000002" || !p.HasPhoto {
			t.Errorf("%+v %v", p, err)
		}
	})
}

func TestOfTwoRecordsWithOneDocumentTheLaterCounts(t *testing.T) {
	c := open(t, dbtest.Open(t, db.SQLite), nil)
	ids, err := c.Put(t.Context(), []Record{
		{Name: "张三", Document: resident("19900307", 1)}, {Name: "李四", Document: resident("19900307", 3)}, {Name: "张山", Document: resident("19900307", 1)},
	})
	if err != nil || len(ids) != 3 || ids[0] != ids[2] {
		t.Fatalf("%v %v", ids, err)
	}
	if p, _ := c.Get(t.Context(), ids[0]); p.Name != "张山" {
		t.Errorf("got %q", p.Name)
	}
}

func TestProcessesThatPutOnePersonAtOnceMakeOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		a := open(t, d, nil)
		b := open(t, d.Open(), a.keys)
		var ids [2][]code.Handle
		var both sync.WaitGroup
		for i, c := range []*city{a, b} {
			both.Go(func() {
				var people []Record
				for k := range 300 {
					people = append(people, Record{Name: "张三", Document: resident("19900307", k), Phone: []string{"15400000001", "15400000002"}[i]})
				}
				var err error
				if ids[i], err = c.Put(t.Context(), people); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if diff := cmp.Diff(ids[0], ids[1]); diff != "" {
			t.Fatal(diff)
		}
		for _, id := range ids[0] {
			if p, err := b.Get(t.Context(), id); err != nil || !strings.HasPrefix(p.Phone, "1540000000") {
				t.Fatalf("%+v %v", p, err)
			}
		}
		count(t, d, map[string]int64{"person": 300, "person_index": 300, "status": 300})
	})
}

// count compares the number of rows of tables.
func count(t *testing.T, d *dbtest.Pair, want map[string]int64) {
	t.Helper()
	got := make(map[string]int64)
	err := d.Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
		for table := range want {
			var n int64
			if err := q.QueryRow(ctx, `select count(*) from `+table).Scan(&n); err != nil {
				return err
			}
			got[table] = n
		}
		return nil
	})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestASuspensionReachesTheStatusAndTheAuditChain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := open(t, d, nil)
		ids, err := c.Put(t.Context(), []Record{{Name: "张三", Document: resident("19900307", 1)}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.status.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, to := range []State{Suspended, Suspended, Deceased, Active} {
			if err := c.SetState(t.Context(), ids[0], to); err != nil {
				t.Fatal(err)
			}
			if err := c.feed.Poll(t.Context()); err != nil {
				t.Fatal(err)
			}
			st, _, _ := c.status.Current(t.Context(), ids[0])
			if p, _ := c.Get(t.Context(), ids[0]); p.State != to || st.Suspended != (to == Suspended) || st.Deceased != (to == Deceased) {
				t.Errorf("%s: person %s, status %+v", to, p.State, st)
			}
		}
		var entries int64
		err = d.Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
			return q.QueryRow(ctx, `select count(*) from audit_entry where kind = 'person.state'`).Scan(&entries)
		})
		if entries != 3 || err != nil {
			t.Errorf("%d audit entries, want 3 (%v)", entries, err)
		}
		if err := c.SetState(t.Context(), ids[0], "asleep"); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a state that doesn't exist gave %v", err)
		}
	})
}

func TestWithAnotherKeyFileNobodyIsReadOrFound(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := open(t, d, nil)
		ids, err := c.Put(t.Context(), []Record{{Name: "张三", Document: resident("19900307", 1)}})
		if err != nil {
			t.Fatal(err)
		}
		// Rows of one person under another's handle don't open either.
		err = d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
			_, err := q.Exec(ctx, `update person set id = 77 where id = $1`, int64(ids[0]))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.cfg.PersonKeys.Create(t.Context(), []int64{77}); err != nil {
			t.Fatal(err)
		}
		if p, err := c.Get(t.Context(), 77); err == nil {
			t.Errorf("read %+v", p)
		} else if strings.Contains(err.Error(), "张三") {
			t.Errorf("the error names the person: %v", err)
		}
	})
}

func TestAnErasedKeyErasesThePerson(t *testing.T) {
	c := open(t, dbtest.Open(t, db.SQLite), nil)
	ids, err := c.Put(t.Context(), []Record{{Name: "张三", Document: resident("19900307", 1), Photo: picture(t, 64, 64)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cfg.PersonKeys.Delete(t.Context(), nil, int64(ids[0])); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), ids[0]); fault.KindOf(err) != fault.NotFound {
		t.Errorf("Get: %v", err)
	}
	if _, err := c.Photo(t.Context(), ids[0]); fault.KindOf(err) != fault.NotFound {
		t.Errorf("Photo: %v", err)
	}
	if names, err := c.Names(t.Context(), ids); len(names) != 0 || err != nil {
		t.Errorf("Names: %v %v", names, err)
	}
}

func TestRecordsThatAreNoPeopleAreRefused(t *testing.T) {
	c := open(t, dbtest.Open(t, db.SQLite), nil)
	good := Record{Name: "张三", Document: resident("19900307", 1)}
	for want, change := range map[string]func(*Record){
		"invalid_name":       func(r *Record) { r.Name = "" },
		"invalid_id_number":  func(r *Record) { r.Document.Number = "" },
		"invalid_phone":      func(r *Record) { r.Phone = "+86 154 0000 0001" },
		"invalid_birth_date": func(r *Record) { r.BirthDate = "1990-02-30" },
	} {
		bad := good
		change(&bad)
		if _, err := c.Put(t.Context(), []Record{good, bad}); fault.CodeOf(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestHandlesAreWrittenInThirteenCharactersAndReadStrictly(t *testing.T) {
	for id, text := range map[ID]string{1: "0000000000002", 1<<64 - 1: "vvvvvvvvvvvvu", 0x0123456789abcdef: "04hkaps9lf6uu"} {
		if got := FormatID(id); got != text {
			t.Errorf("FormatID(%x) = %s, want %s", uint64(id), got, text)
		}
		if got, err := ParseID(text); got != id || err != nil {
			t.Errorf("ParseID(%s) = %x, %v", text, uint64(got), err)
		}
	}
	for _, bad := range []string{"", "0", "0000000000000", "0000000000003", "000000000000", "00000000000020", "VVVVVVVVVVVVU", "000000000000w", "00000000000\n02"} {
		if _, err := ParseID(bad); fault.KindOf(err) != fault.Invalid {
			t.Errorf("ParseID(%q): %v", bad, err)
		}
	}
}

func TestTheChangeThatAlsoFailsLeavesNobody(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := open(t, d, nil)
		records := []incoming{{Record: Record{Name: "张三", Document: resident("19900307", 1), Photo: picture(t, 64, 64)}}}
		broken := fault.New(fault.Conflict, "test", "on purpose")
		err := c.put(t.Context(), records, func(context.Context, *commit.Tx) error { return broken })
		if fault.CodeOf(err) != "test" {
			t.Fatal(err)
		}
		count(t, d, map[string]int64{"person": 0, "person_index": 0, "person_photo": 0, "status": 0})
	})
}
