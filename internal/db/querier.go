package db

import (
	"context"
	"errors"
	"fmt"
)

var (
	errClosed   = errors.New("the database handle is closed")
	errNested   = errors.New("a transaction inside another of the same database: pass its Querier on instead")
	errAfterUse = errors.New("a statement after its function returned")
	errOpenRows = errors.New("a statement while the rows of another are open")
)

// loan is what the connections of both engines keep while a function has them.
// It makes them alike where they differ: PostgreSQL refuses everything in a
// transaction after its first failed statement, SQLite would go on and commit
// the rest; SQLite runs a statement while the rows of another are open,
// PostgreSQL can't. A test that passes on one would fail on the other.
type loan struct {
	classify    func(error) error
	slices      bool // as arguments
	running     bool // the function hasn't returned
	transaction bool
	open        Rows  // not yet closed
	failed      error // of the first statement that failed in the transaction
	conflict    bool  // failed because it met another transaction
}

func (l *loan) start(transaction bool) {
	*l = loan{classify: l.classify, slices: l.slices, running: true, transaction: transaction}
}

// admit checks a statement's arguments, and that it may run at all.
func (l *loan) admit(args []any) ([]any, error) {
	switch {
	case !l.running:
		return nil, errAfterUse
	case l.open != nil:
		return nil, errOpenRows
	case l.failed != nil:
		return nil, fmt.Errorf("the transaction failed before: %w", l.failed)
	}
	return arguments(args, l.slices)
}

// fail classifies a statement's error and remembers it.
func (l *loan) fail(err error) error {
	if err == nil {
		return nil
	}
	err = l.classify(err)
	if l.transaction && l.failed == nil {
		l.failed, l.conflict = err, errors.Is(err, errRetry)
	}
	return err
}

// finish takes the connection back and gives the function's error, or the
// statement's that it passed over.
func (l *loan) finish(err error) error {
	if l.open != nil {
		l.open.Close()
	}
	l.running = false
	switch {
	case l.failed == nil:
		return err
	case err == nil:
		return fmt.Errorf("a statement failed in the transaction: %w", l.failed)
	case l.conflict && !errors.Is(err, errRetry):
		return &classed{errRetry, err}
	}
	return err
}

// oneRow takes the first row of an answer.
type oneRow struct {
	rows Rows
	err  error
}

func (o oneRow) Scan(dest ...any) error {
	if o.err != nil {
		return o.err
	}
	defer o.rows.Close()
	if !o.rows.Next() {
		if err := o.rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	if err := o.rows.Scan(dest...); err != nil {
		return err
	}
	o.rows.Close()
	return o.rows.Err()
}

// within marks the context of a transaction's function with its engine.
type within struct{ engine }

func enter(ctx context.Context, e engine) (context.Context, error) {
	if ctx.Value(within{e}) != nil {
		return nil, errNested
	}
	return context.WithValue(ctx, within{e}, true), nil
}
