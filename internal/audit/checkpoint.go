package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/sm"
)

// Checkpoint is a signed statement of how far chains went.
type Checkpoint struct {
	Chain, No  int64 // of the process that signed it; No is 1, 2, 3, …
	At         int64
	Body       string // JSON of a Statement
	Generation uint32 // of the audit ring's key
	Signature  [sm.SignatureSize]byte
}

// Statement is what a checkpoint signs.
type Statement struct {
	Chain      int64      `json:"chain,string"`
	No         int64      `json:"no"`
	At         int64      `json:"at"` // Unix milliseconds
	Generation uint32     `json:"generation"`
	Previous   *Checkmark `json:"previous"` // the one before it; for a chain's first the predecessor's last
	Heads      []Head     `json:"heads"`
}

// Checkmark names a checkpoint by its place and its Digest.
type Checkmark struct {
	Chain  int64  `json:"chain,string"`
	No     int64  `json:"no"`
	Digest Digest `json:"digest"`
}

const checkpointLabel = "citycode audit checkpoint\x00"

// Sign makes the checkpoint of a statement, whose Generation must be key's.
func Sign(key *sm.SigningKey, s Statement) (Checkpoint, error) {
	if s.Heads == nil {
		s.Heads = []Head{}
	}
	body, err := json.Marshal(s)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("audit: checkpoint: %w", err)
	}
	c := Checkpoint{Chain: s.Chain, No: s.No, At: s.At, Body: string(body), Generation: s.Generation}
	c.Signature, err = key.Sign(c.message())
	if err != nil {
		return Checkpoint{}, fmt.Errorf("audit: checkpoint: %w", err)
	}
	return c, nil
}

func (c Checkpoint) message() []byte { return append([]byte(checkpointLabel), c.Body...) }

// Mark names the checkpoint: its digest is SM3 over the signed message and the
// signature.
func (c Checkpoint) Mark() Checkmark {
	return Checkmark{c.Chain, c.No, sm.SM3(c.message(), c.Signature[:])}
}

// Open checks the signature and that the statement is about this place, and
// returns what it says.
func (c Checkpoint) Open(key sm.VerifyKey) (Statement, error) {
	if !key.Verify(c.message(), c.Signature) {
		return Statement{}, errors.New("the signature is not by the audit key of its generation")
	}
	var s Statement
	if err := json.Unmarshal([]byte(c.Body), &s); err != nil {
		return Statement{}, fmt.Errorf("the statement can't be read: %w", err)
	}
	if s.Chain != c.Chain || s.No != c.No || s.At != c.At || s.Generation != c.Generation {
		return Statement{}, errors.New("the columns beside the signed statement say something else than it does")
	}
	return s, nil
}

// InsertCheckpoint writes the checkpoint. A row with its number is an error of
// db.IsUnique.
func InsertCheckpoint(ctx context.Context, q db.Querier, c Checkpoint) error {
	_, err := q.Exec(ctx, `insert into audit_checkpoint (chain, no, at, body, generation, signature) values ($1, $2, $3, $4, $5, $6)`,
		c.Chain, c.No, c.At, c.Body, c.Generation, c.Signature[:])
	return err
}

const checkpointColumns = "chain, no, at, body, generation, signature"

// LastCheckpoint reads the last checkpoint of a chain; nil if it has none.
func LastCheckpoint(ctx context.Context, q db.Querier, chain int64) (*Checkpoint, error) {
	c, err := scanCheckpoint(q.QueryRow(ctx, `select `+checkpointColumns+` from audit_checkpoint
		where chain = $1 order by no desc limit 1`, chain))
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil
	}
	return &c, err
}

func scanCheckpoint(row db.Row) (Checkpoint, error) {
	var c Checkpoint
	var generation int64
	var signature []byte
	if err := row.Scan(&c.Chain, &c.No, &c.At, &c.Body, &generation, &signature); err != nil {
		return Checkpoint{}, err
	}
	c.Generation = uint32(generation)
	if int64(c.Generation) != generation || len(signature) != len(c.Signature) {
		// No checkpoint has such a row: it can't verify.
		return Checkpoint{Chain: c.Chain, No: c.No, At: c.At, Body: c.Body}, nil
	}
	copy(c.Signature[:], signature)
	return c, nil
}
