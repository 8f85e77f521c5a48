package db

import (
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
// index forbids.
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

func unclear(err error) error {
	return fault.Wrap(fault.Unavailable, "commit_unclear", &classed{errUnclear, err}, "%s", errUnclear.Error())
}
