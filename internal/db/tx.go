package db

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// A transaction that keeps meeting others is tried this often, with a pause
// that doubles from 1 ms to 128 ms, halved at random: about 2 s in all.
const (
	maxTries   = 24
	firstPause = time.Millisecond
	lastPause  = 128 * time.Millisecond
)

// Tx runs fn in a serialisable transaction and commits when it returns nil. A
// transaction that met another one is run again, so fn may run more than once
// and must set, not add to, what it hands out. Keep it under about 1,000 rows
// and 500 ms. After 24 tries it gives fault Busy "database_contention".
func (d *DB) Tx(ctx context.Context, fn func(ctx context.Context, q Querier) error) error {
	return d.retry(ctx, modeTx, fn)
}

// Append runs fn in a transaction for inserts and upserts by key: read
// committed on PostgreSQL, so a value that fn read may be out of date when it
// writes. Like Tx it is run again after a deadlock, and like Tx never after a
// commit whose outcome isn't known (IsUnclear).
func (d *DB) Append(ctx context.Context, fn func(ctx context.Context, q Querier) error) error {
	return d.retry(ctx, modeAppend, fn)
}

// Snapshot runs fn in a read-only transaction that sees the database as it was
// when fn was called.
func (d *DB) Snapshot(ctx context.Context, fn func(ctx context.Context, q Querier) error) error {
	return d.once(ctx, modeSnapshot, fn)
}

// Read runs fn on a connection outside any transaction: each statement sees
// what was committed before it. For look-ups by key; a statement that writes
// fails.
func (d *DB) Read(ctx context.Context, fn func(ctx context.Context, q Querier) error) error {
	return d.once(ctx, modeRead, fn)
}

func (d *DB) once(ctx context.Context, m mode, fn func(ctx context.Context, q Querier) error) error {
	err := d.engine.run(ctx, m, fn)
	if errors.Is(err, errRetry) {
		return busy(err, "reading met a writer")
	}
	return err
}

func (d *DB) retry(ctx context.Context, m mode, fn func(ctx context.Context, q Querier) error) error {
	ctx, err := enter(ctx, d.engine)
	if err != nil {
		return err
	}
	pause := firstPause
	for try := 1; ; try++ {
		err := d.engine.run(ctx, m, fn)
		if !errors.Is(err, errRetry) {
			return err
		}
		if try == maxTries {
			return busy(err, "gave up after %d tries", try)
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-ctx.Done():
			timer.Stop()
			err, _ := settledOrOver(fmt.Errorf("waiting to try the transaction again: %w", ctx.Err()))
			return err
		case <-timer.C:
		}
		pause = min(2*pause, lastPause)
	}
}
