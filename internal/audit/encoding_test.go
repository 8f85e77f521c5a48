package audit_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/citycode/citycode/internal/audit"
	"github.com/citycode/citycode/internal/sm"
)

// The bytes are written out by hand here, so that a change of the encoding, by
// which every earlier log would fail, is seen.
func TestAnEntrysHashIsOverTheDocumentedBytes(t *testing.T) {
	head := audit.Head{Chain: 0x0102030405060708, Seq: 9}
	for i := range head.Hash {
		head.Hash[i] = byte(i)
	}
	e, err := audit.After(head, 0x19c00000000, "thing.done", map[string]any{"n": 1, "名": "a<b"})
	if err != nil {
		t.Fatal(err)
	}
	bytes := hex.EncodeToString([]byte("citycode audit entry\x00")) +
		"0102030405060708" + "000000000000000a" + "0000019c00000000" +
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" +
		"0000000a" + hex.EncodeToString([]byte("thing.done")) +
		"00000018" + hex.EncodeToString([]byte(`{"n":1,"名":"a\u003cb"}`))
	b, err := hex.DecodeString(bytes)
	if err != nil {
		t.Fatal(err)
	}
	if want := audit.Digest(sm.SM3(b)); e.Hash != want {
		t.Errorf("hash %s, want %s; body %s (%d bytes)", e.Hash, want, e.Body, len(e.Body))
	}
}

func TestEveryFieldOfAnEntryIsUnderItsHash(t *testing.T) {
	e, err := audit.After(audit.Head{Chain: 7, Seq: 1}, 1000, "ab", "c")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*audit.Entry){
		"chain": func(e *audit.Entry) { e.Chain++ },
		"seq":   func(e *audit.Entry) { e.Seq++ },
		"at":    func(e *audit.Entry) { e.At++ },
		"kind":  func(e *audit.Entry) { e.Kind += "x" },
		"body":  func(e *audit.Entry) { e.Body += " " },
		"prev":  func(e *audit.Entry) { e.Prev[31]++ },
		"the border between kind and body": func(e *audit.Entry) {
			e.Kind, e.Body = e.Kind+e.Body[:1], e.Body[1:]
		},
	} {
		other := e
		change(&other)
		if other.Sum() == e.Hash {
			t.Errorf("%s can be changed", name)
		}
	}
}

func TestACheckpointOpensOnlyUnderItsKeyAndAtItsPlace(t *testing.T) {
	key, err := sm.GenerateSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := sm.GenerateSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	mark := audit.Checkmark{Chain: 5, No: 2}
	c, err := audit.Sign(key, audit.Statement{Chain: 4, No: 3, At: 77, Generation: 1, Previous: &mark, Heads: []audit.Head{{Chain: 1 << 62, Seq: 9}}})
	if err != nil {
		t.Fatal(err)
	}
	zeros := strings.Repeat("0", 64)
	want := `{"chain":"4","no":3,"at":77,"generation":1,"previous":{"chain":"5","no":2,"digest":"` + zeros + `"},"heads":[{"chain":"4611686018427387904","seq":9,"hash":"` + zeros + `"}]}`
	if c.Body != want {
		t.Errorf("body\n%s\nwant\n%s", c.Body, want)
	}
	if !key.Public().Verify([]byte("citycode audit checkpoint\x00"+want), c.Signature) {
		t.Error("the signature isn't over the documented bytes")
	}
	if s, err := c.Open(key.Public()); err != nil || s.Heads[0].Chain != 1<<62 || *s.Previous != mark {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := c.Open(other.Public()); err == nil {
		t.Error("opens under another key")
	}
	for name, change := range map[string]func(*audit.Checkpoint){
		"chain":      func(c *audit.Checkpoint) { c.Chain++ },
		"no":         func(c *audit.Checkpoint) { c.No++ },
		"at":         func(c *audit.Checkpoint) { c.At++ },
		"generation": func(c *audit.Checkpoint) { c.Generation++ },
		"body":       func(c *audit.Checkpoint) { c.Body += " " },
		"signature":  func(c *audit.Checkpoint) { c.Signature[63] ^= 1 },
	} {
		changed := c
		change(&changed)
		if _, err := changed.Open(key.Public()); err == nil {
			t.Errorf("%s can be changed", name)
		}
	}
}

// reference is Root as RFC 6962 §2.1 defines it.
func reference(leaves [][32]byte) [32]byte {
	switch n := len(leaves); n {
	case 0:
		return sm.SM3()
	case 1:
		return leaves[0]
	default:
		k := 1
		for 2*k < n {
			k *= 2
		}
		l, r := reference(leaves[:k]), reference(leaves[k:])
		return sm.SM3([]byte{1}, l[:], r[:])
	}
}

func TestRootHasTheShapeOfRFC6962(t *testing.T) {
	var leaves [][32]byte
	for n := range 70 {
		if got, want := audit.Root(leaves), reference(leaves); got != want {
			t.Errorf("%d leaves: %x, want %x", n, got, want)
		}
		leaves = append(leaves, audit.Leaf([]byte{byte(n)}))
	}
}

func TestRootTellsListsOfRowsApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 70), 1, 20).Draw(t, "rows")
		root := func(rows [][]byte) [32]byte {
			leaves := make([][32]byte, len(rows))
			for i, r := range rows {
				leaves[i] = audit.Leaf(r)
			}
			return audit.Root(leaves)
		}
		before := root(rows)
		i := rapid.IntRange(0, len(rows)-1).Draw(t, "which")
		if root(append(rows[:i:i], rows[i+1:]...)) == before {
			t.Fatal("a row can be removed")
		}
		if root(append(rows[:i:i], append([][]byte{{}}, rows[i:]...)...)) == before {
			t.Fatal("a row can be added")
		}
		changed := append([][]byte{}, rows...)
		changed[i] = append([]byte{1}, rows[i]...)
		if root(changed) == before {
			t.Fatal("a row can be changed")
		}
	})
}
