package db

import (
	"context"
	"errors"

	"github.com/citycode/citycode/internal/fault"
)

// Classes of error that both engines share. An error carries its class beside
// the cause, so errors.Is and errors.As find both.
var (
	errUnique  = errors.New("a row with this key exists")
	errRetry   = errors.New("met another transaction")
	errUnclear = errors.New("whether it was committed isn't known")
)

// IsUnique says whether err comes from a row that a primary key or a unique
// index forbids. On both engines the transaction is then over: use
// on conflict … where a second row is no mistake.
func IsUnique(err error) bool { return errors.Is(err, errUnique) }

// IsUnclear says whether err means that a transaction may or may not have been
// committed: the connection broke while it was, or the server gave up waiting
// for its standby, when the row is kept here and may vanish with this server.
// Read before going on; if it is tried again, it must write again. The fault
// is Unavailable "commit_unclear".
func IsUnclear(err error) bool { return errors.Is(err, errUnclear) }

// classed is an error with its class.
type classed struct {
	class, cause error
}

func (c *classed) Error() string   { return c.cause.Error() }
func (c *classed) Unwrap() []error { return []error{c.class, c.cause} }

// quiet is an error whose own text may quote a value, which may be somebody's
// name: errors.As still finds it, but what is printed is the text given here.
type quiet struct {
	text  string
	cause error
}

func (q *quiet) Error() string { return q.text }
func (q *quiet) Unwrap() error { return q.cause }

func unclear(err error) error {
	return fault.Wrap(fault.Unavailable, "commit_unclear", &classed{errUnclear, err}, "%s", errUnclear.Error())
}

func unavailable(err error, format string, args ...any) error {
	return fault.Wrap(fault.Unavailable, "database_unavailable", err, format, args...)
}

func busy(err error, format string, args ...any) error {
	return fault.Wrap(fault.Busy, "database_contention", err, format, args...)
}

// settledOrOver says whether an error needs no class of its engine: it has one,
// or the caller went away. A deadline that passed means that the database
// didn't answer in time.
func settledOrOver(err error) (error, bool) {
	switch {
	case err == nil, fault.KindOf(err) != fault.Internal, errors.Is(err, errUnique), errors.Is(err, errRetry):
		return err, true
	case errors.Is(err, context.DeadlineExceeded):
		return unavailable(err, "the database didn't answer in time"), true
	case errors.Is(err, context.Canceled):
		return err, true
	}
	return err, false
}
