package keys

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/sm"
)

func TestPersonsKeyOpensWhatItSealed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		f := newKeyFile(t)
		p := OpenPersonKeys(d.PersonKeys, f)
		ids := []int64{1, -5, 1 << 62, 1} // handles use all 64 bits
		if err := p.Create(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
		one, err := p.Sealer(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := one.Seal("name", []byte("张三"))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(sealed, []byte("张三")) {
			t.Error("sealed in clear")
		}

		again := OpenPersonKeys(d.Open().PersonKeys, f)
		if err := again.Create(t.Context(), []int64{1, 2}); err != nil { // keeps what is there
			t.Fatal(err)
		}
		all, err := again.Sealers(t.Context(), []int64{1, -5, 1 << 62, 2, 3})
		if err != nil || len(all) != 4 {
			t.Fatalf("%d sealers, %v", len(all), err)
		}
		if plain, err := all[1].Open("name", sealed); err != nil || string(plain) != "张三" {
			t.Errorf("opened %q, %v", plain, err)
		}
		if _, err := all[1].Open("phone", sealed); !errors.Is(err, sm.ErrSealed) {
			t.Errorf("as another field: %v", err)
		}
		if _, err := all[2].Open("name", sealed); !errors.Is(err, sm.ErrSealed) {
			t.Errorf("for another person: %v", err)
		}
	})
}

func TestErasedPersonsDataOpensNoMore(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		p := OpenPersonKeys(d.PersonKeys, newKeyFile(t))
		if err := p.Create(t.Context(), []int64{1, 2}); err != nil {
			t.Fatal(err)
		}
		s, err := p.Sealer(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := s.Seal("name", []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		err = d.PersonKeys.Tx(t.Context(), func(ctx context.Context, q db.Querier) error { return p.Delete(ctx, q, 1) })
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Delete(t.Context(), nil, 1); err != nil {
			t.Errorf("erasing twice: %v", err)
		}
		if _, err := p.Sealer(t.Context(), 1); fault.CodeOf(err) != "person_key_missing" || fault.KindOf(err) != fault.NotFound {
			t.Errorf("after erasure: %v", err)
		}
		if _, err := p.Sealer(t.Context(), 2); err != nil {
			t.Errorf("the other person: %v", err)
		}
		// The same handle again, which doesn't happen, would have another key.
		if err := p.Create(t.Context(), []int64{1}); err != nil {
			t.Fatal(err)
		}
		s, err = p.Sealer(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open("name", sealed); !errors.Is(err, sm.ErrSealed) {
			t.Errorf("erased data opens under a new key: %v", err)
		}
	})
}

func TestPersonKeysAtRestAreSealedAndBound(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		f := newKeyFile(t)
		p := OpenPersonKeys(d.PersonKeys, f)
		if err := p.Create(t.Context(), []int64{1, 2}); err != nil {
			t.Fatal(err)
		}
		exec(t, d.PersonKeys, `update person_key set sealed = (select sealed from person_key where person = 1) where person = 2`)
		if _, err := p.Sealer(t.Context(), 2); fault.CodeOf(err) != "key_damaged" {
			t.Errorf("another's key: %v", err)
		}
		if _, err := OpenPersonKeys(d.PersonKeys, newKeyFile(t)).Sealer(t.Context(), 1); fault.CodeOf(err) != "key_damaged" {
			t.Errorf("another key file: %v", err)
		}
	})
}

func TestManyPeopleGetTheirKeysInChunks(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		p := OpenPersonKeys(d.PersonKeys, newKeyFile(t))
		ids := make([]int64, 2*maxIDs+7)
		for i := range ids {
			ids[i] = int64(i) * 7919
		}
		if err := p.Create(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
		all, err := p.Sealers(t.Context(), ids)
		if err != nil || len(all) != len(ids) {
			t.Fatalf("%d sealers, %v", len(all), err)
		}
		if err := p.Create(t.Context(), nil); err != nil {
			t.Error(err)
		}
		if none, err := p.Sealers(t.Context(), nil); err != nil || len(none) != 0 {
			t.Errorf("%v, %v", none, err)
		}
	})
}
