package audit

import (
	"encoding/hex"

	"github.com/citycode/citycode/internal/sm"
)

// Leaf is the leaf of a row in its batch's tree: SM3(0 ‖ row). The zero byte
// keeps a leaf from being taken for an inner node.
func Leaf(row []byte) [32]byte { return sm.SM3([]byte{0}, row) }

// Root is the root of the tree over the leaves in their order, shaped as in
// RFC 6962 §2.1: of no leaves SM3(""), of one the leaf, of more the inner node
// SM3(1 ‖ left ‖ right) where left is over the largest power of two of leaves
// that leaves something for right.
func Root(leaves [][32]byte) [32]byte {
	var t Tree
	for _, l := range leaves {
		t.Add(l)
	}
	return t.Root()
}

// Tree computes Root from leaves that come one by one, keeping one node for
// each bit of their count. The zero Tree has no leaves.
type Tree struct {
	count uint64
	nodes [][32]byte // roots of full subtrees, the largest first: one for each 1 bit of count
}

// Add appends a leaf.
func (t *Tree) Add(leaf [32]byte) {
	node := leaf
	for c := t.count; c&1 == 1; c >>= 1 {
		last := len(t.nodes) - 1
		node = inner(t.nodes[last], node)
		t.nodes = t.nodes[:last]
	}
	t.nodes = append(t.nodes, node)
	t.count++
}

// Count is the number of leaves added.
func (t *Tree) Count() int64 { return int64(t.count) }

// Root is the root over the leaves added so far.
func (t *Tree) Root() [32]byte {
	if len(t.nodes) == 0 {
		return sm.SM3()
	}
	node := t.nodes[len(t.nodes)-1]
	for i := len(t.nodes) - 2; i >= 0; i-- {
		node = inner(t.nodes[i], node)
	}
	return node
}

func inner(left, right [32]byte) [32]byte { return sm.SM3([]byte{1}, left[:], right[:]) }

// Batch is the body of an entry that stands for rows of another table.
type Batch struct {
	Rows  int64  `json:"rows"`
	Root  Digest `json:"root"`
	First string `json:"first"` // id of the first row, hexadecimal, for people who look for it
	Last  string `json:"last"`
}

// NewBatch describes rows by their leaves and the ids of the first and the last.
func NewBatch(leaves [][32]byte, first, last []byte) Batch {
	return Batch{int64(len(leaves)), Root(leaves), hex.EncodeToString(first), hex.EncodeToString(last)}
}
