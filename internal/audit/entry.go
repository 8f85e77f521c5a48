package audit

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/sm"
)

// Digest is an SM3 digest; in JSON it is 64 lower-case hexadecimal digits.
type Digest [32]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, d[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != 2*len(d) {
		return errors.New("a digest is 64 hexadecimal digits")
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// Entry is one link of a chain.
type Entry struct {
	Chain, Seq int64 // Seq is 1, 2, 3, …
	At         int64 // Unix milliseconds, on the writer's clock
	Kind       string
	Body       string // JSON; ids only, no personal data
	Prev, Hash Digest // Prev is the hash of entry Seq-1, zeros for the first
}

// Kinds that the chain itself writes.
const (
	KindOpen  = "open"  // the first entry of a chain; its body is an Opening
	KindClose = "close" // the last entry of a process that ended in order
	// KindBroken says that the entry before it isn't the one that the process
	// had written last; its body is a Break.
	KindBroken = "broken"
)

// Break is the body of an entry of KindBroken: where the chain's process had
// left it, and what it found.
type Break struct {
	Own   Head `json:"own"`
	Found Head `json:"found"`
}

// Opening is the body of a chain's first entry.
type Opening struct {
	Name        string `json:"name"`        // of the node
	Predecessor *Head  `json:"predecessor"` // the chain that was begun before; null in the very first
}

// Head says how far a chain went: its entry Seq had this hash.
type Head struct {
	Chain int64  `json:"chain,string"`
	Seq   int64  `json:"seq"`
	Hash  Digest `json:"hash"`
}

const entryLabel = "citycode audit entry\x00"

// Sum is the hash that belongs to the entry's other fields; see the package
// comment for the encoding.
func (e Entry) Sum() Digest {
	b := make([]byte, 0, 24+32+8+len(e.Kind)+len(e.Body))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Chain))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(e.At))
	b = append(b, e.Prev[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Kind)))
	b = append(b, e.Kind...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Body)))
	b = append(b, e.Body...)
	return sm.SM3([]byte(entryLabel), b)
}

// After makes the entry that follows head, hash included. The zero Head with a
// Chain gives the chain's first entry.
func After(head Head, at int64, kind string, body any) (Entry, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return Entry{}, fmt.Errorf("audit: body of a %s entry: %w", kind, err)
	}
	e := Entry{Chain: head.Chain, Seq: head.Seq + 1, At: at, Kind: kind, Body: string(text), Prev: head.Hash}
	e.Hash = e.Sum()
	return e, nil
}

// Head is the head of the chain with this entry as its last.
func (e Entry) Head() Head { return Head{e.Chain, e.Seq, e.Hash} }

// Insert writes the entry. A row with its number is an error of db.IsUnique.
func Insert(ctx context.Context, q db.Querier, e Entry) error {
	_, err := q.Exec(ctx, `insert into audit_entry (chain, seq, at, kind, body, prev, hash) values ($1, $2, $3, $4, $5, $6, $7)`,
		e.Chain, e.Seq, e.At, e.Kind, e.Body, e.Prev[:], e.Hash[:])
	return err
}

// ReadHeads reads the heads of the chains whose nodes stand in the table node,
// ordered by chain.
func ReadHeads(ctx context.Context, q db.Querier) ([]Head, error) {
	rows, err := q.Query(ctx, `select n.id, e.seq, e.hash from node n join audit_entry e on e.chain = n.id
		where e.seq = (select max(m.seq) from audit_entry m where m.chain = n.id) order by n.id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var heads []Head
	for rows.Next() {
		var h Head
		var hash []byte
		if err := rows.Scan(&h.Chain, &h.Seq, &hash); err != nil {
			return nil, err
		}
		copy(h.Hash[:], hash)
		heads = append(heads, h)
	}
	return heads, rows.Err()
}

// ReadLinks reads which entries are named as a predecessor by the first entry
// of a chain whose node stands in the table node.
func ReadLinks(ctx context.Context, q db.Querier) ([]Head, error) {
	rows, err := q.Query(ctx, `select e.body from node n join audit_entry e on e.chain = n.id and e.seq = 1 order by n.id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var links []Head
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		var o Opening
		// What can't be read names nothing; Verify reports it.
		if json.Unmarshal([]byte(body), &o) == nil && o.Predecessor != nil {
			links = append(links, *o.Predecessor)
		}
	}
	return links, rows.Err()
}
