package status

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
)

func TestANodeStartsFromItsSnapshotAndWhatChangedSince(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c, dir := newClock(), t.TempDir()
		a := open(t, d, c, dir, "gate 1")
		a.create(t, 1, 2, far)
		a.load(t)
		a.set(t,
			Assignment{Person: 2, Color: Yellow, ReasonCode: "close_contact", ChangesAt: c.now().Add(time.Hour), NextColor: Green, NextReasonCode: "ended"},
			Assignment{Person: far, Color: Red, ReasonCode: "test_positive", ChangesAt: c.now().Add(300 * 24 * time.Hour), NextColor: Green, NextReasonCode: "ended"})
		a.poll(t)
		a.saveSnapshot()
		if info, err := os.Stat(filepath.Join(dir, "status-gate_1.snap")); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v %v", info, err)
		}

		// Changes after the snapshot, and a row that only a full load would find:
		// that it isn't found shows that the snapshot was used.
		a.set(t, Assignment{Person: 1, Color: Yellow, ReasonCode: "close_contact"})
		a.create(t, 4)
		err := d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
			_, err := q.Exec(ctx, `update status set color = 3 where person = 2`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		c.add(time.Minute)
		b := open(t, d.Open(), c, dir, "gate 1")
		b.load(t)
		got := map[code.Handle]string{}
		for _, h := range []code.Handle{1, 2, far, 4} {
			e, _ := b.inMemory(h)
			got[h] = e.Color.String() + " " + e.Reason
		}
		want := map[code.Handle]string{1: "yellow close_contact", 2: "yellow close_contact", far: "red test_positive", 4: "green no_adverse_record"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		c.add(time.Hour)
		if e, _ := b.inMemory(2); e.Color != Green || e.Reason != "ended" {
			t.Errorf("the change known before the restart: %+v", e)
		}
	})
}

func TestASnapshotOfAnotherDatabaseIsDropped(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c, dir := newClock(), t.TempDir()
		a := open(t, d, c, dir, "a")
		a.create(t, 1)
		a.load(t)
		a.saveSnapshot()
		if err := d.Main.RenewIdentity(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
			_, err := q.Exec(ctx, `update status set color = 3`)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		b := open(t, d.Open(), c, dir, "a")
		b.load(t)
		if e, _ := b.inMemory(1); e.Color != Red {
			t.Errorf("got %v: the restored database wasn't read", e.Color)
		}
	})
}

func TestAnOldSnapshotIsReplacedByAFullLoad(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	c, dir := newClock(), t.TempDir()
	a := open(t, d, c, dir, "a")
	a.create(t, 1)
	a.load(t)
	a.saveSnapshot()
	c.add(30 * 24 * time.Hour)
	err := d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
		_, err := q.Exec(ctx, `update status set color = 2`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, d.Open(), c, dir, "a")
	b.load(t)
	if e, _ := b.inMemory(1); e.Color != Yellow {
		t.Errorf("got %v", e.Color)
	}
}

func TestADamagedSnapshotIsNotBelieved(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	c, dir := newClock(), t.TempDir()
	a := open(t, d, c, dir, "a")
	a.create(t, 1, 2, 3)
	a.load(t)
	a.saveSnapshot()
	good, err := os.ReadFile(a.snapshotPath())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := readSnapshot(a.snapshotPath()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "bad.snap")
	try := func(what string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := readSnapshot(path); err == nil {
			t.Errorf("%s was believed", what)
		}
	}
	for i := 0; i < len(good); i += 5 {
		b := bytes.Clone(good)
		b[i] ^= 4
		try("a changed byte", b)
		try("half a file", good[:i])
	}
	// A node with a damaged file starts as without one.
	if err := os.WriteFile(a.snapshotPath(), good[:40], 0o600); err != nil {
		t.Fatal(err)
	}
	b := open(t, d.Open(), c, dir, "a")
	b.load(t)
	if b.Len() != 3 {
		t.Errorf("%d people", b.Len())
	}
}

func TestWithTheDatabaseGoneASnapshotIsEnoughToStart(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	c, dir := newClock(), t.TempDir()
	a := open(t, d, c, dir, "a")
	a.create(t, 1)
	a.load(t)
	a.saveSnapshot()
	taken := a.AsOf()
	c.add(time.Minute)
	other := d.Open()
	b := open(t, other, c, dir, "a")
	other.Main.Close()
	b.load(t)
	if st := b.current(t, 1); st.Color != Green || !st.AsOf.Equal(taken) {
		t.Errorf("got %+v, want as of %v", st, taken)
	}
}

func TestASnapshotIsWrittenWhenThereIsSomethingNew(t *testing.T) {
	d := dbtest.Open(t, db.SQLite)
	c := newClock()
	a := open(t, d, c, t.TempDir(), "a")
	a.saveSnapshot()
	if fileExists(a.snapshotPath()) {
		t.Fatal("a snapshot of nothing")
	}
	a.create(t, 1)
	a.load(t)
	written := func() bool {
		os.Remove(a.snapshotPath())
		a.saveSnapshot()
		return fileExists(a.snapshotPath())
	}
	if !written() {
		t.Error("not written after loading")
	}
	if written() {
		t.Error("written without a change")
	}
	a.set(t, Assignment{Person: 1, Color: Red, ReasonCode: "test_positive"})
	a.poll(t)
	if !written() {
		t.Error("not written after a change")
	}
	c.add(11 * time.Minute)
	a.poll(t)
	if !written() {
		t.Error("not written though it is getting old")
	}
}
