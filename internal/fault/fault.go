// Package fault names the ways an operation can fail that a caller can act on.
//
// A capability returns a *fault.Error where it knows the kind; everything else
// is an internal error, whose text never leaves the process. The HTTP edge
// turns kinds into status codes and codes into the sentence people read, in
// their language: Detail is for developers and logs, and holds no personal data.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind groups failures by what the caller can do about them.
type Kind uint8

// The kinds. The zero Kind is Internal: a failure nobody foresaw.
const (
	Internal        Kind = iota
	Invalid              // the request itself is wrong; the same again fails again
	Unauthenticated      // who is calling isn't known
	Denied               // the caller is known and may not
	NotFound             // no such thing, or none that this caller may know of
	Conflict             // the thing is in another state than the request assumes
	Expired              // it was good once
	Busy                 // too much at once: later, after RetryAfter
	Unavailable          // a part that this needs is gone: later, after RetryAfter
)

var kindNames = [...]string{"internal", "invalid", "unauthenticated", "denied", "not found", "conflict", "expired", "busy", "unavailable"}

func (k Kind) String() string { return kindNames[k] }

// Field says which part of a request is wrong.
type Field struct {
	Name   string // path in the request, e.g. "records[3].observed_at"
	Code   string // stable, e.g. "invalid_id_number"
	Detail string
}

// Error is a failure with a kind and a stable code.
type Error struct {
	Kind       Kind
	Code       string // stable, snake_case; part of the HTTP contract
	Detail     string // for developers; no personal data
	Fields     []Field
	RetryAfter time.Duration // Busy and Unavailable only; zero means one second
	Err        error         // the cause, never shown outside
}

func (e *Error) Error() string {
	s := e.Code
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// New returns an error of the kind with a stable code.
func New(kind Kind, code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Wrap is New with a cause.
func Wrap(kind Kind, code string, err error, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Detail: fmt.Sprintf(format, args...), Err: err}
}

// KindOf returns the kind of the first *Error in err's chain, else Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// CodeOf returns the code of the first *Error in err's chain, else "".
func CodeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}
