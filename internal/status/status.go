package status

import (
	"fmt"
	"time"
)

// Health is the scheme that every city has, and the one kept in memory.
const Health = "health"

// What everybody is who nothing is known of.
const (
	DefaultColor  = Green
	DefaultReason = "no_adverse_record"
)

// Color is what a status comes to.
type Color uint8

// The colours. Numbers are stored: they never change.
const (
	None Color = iota // no status known
	Green
	Yellow
	Red
)

var colorNames = [...]string{"none", "green", "yellow", "red"}

func (c Color) String() string {
	if int(c) < len(colorNames) {
		return colorNames[c]
	}
	return fmt.Sprintf("color %d", uint8(c))
}

// ParseColor reads green, yellow or red.
func ParseColor(s string) (Color, bool) {
	for c, name := range colorNames {
		if s == name && Color(c) != None {
			return Color(c), true
		}
	}
	return None, false
}

// Status is what is known of a person at one moment.
type Status struct {
	Scheme     string
	Color      Color
	ReasonCode string
	Since      time.Time // when the colour began
	ChangesAt  time.Time // when it changes by itself; zero = not known to
	AsOf       time.Time // all that was committed before is in this answer
	Suspended  bool      // codes of this person are refused
	Deceased   bool
}

// Flags in the table status.
const (
	flagSuspended = 1 << iota
	flagDeceased
)

// meaning is what a status says apart from its times.
type meaning struct {
	Color      Color  `json:"color"`
	Reason     string `json:"reason"`
	Next       Color  `json:"next,omitempty"` // None = no change known
	NextReason string `json:"next_reason,omitempty"`
	Suspended  bool   `json:"suspended,omitempty"`
	Deceased   bool   `json:"deceased,omitempty"`
}

// entry is a status as it is stored: in a row, or packed in memory.
type entry struct {
	meaning
	since     int64 // Unix s
	changesAt int64 // Unix s; 0 = none
}

// at applies the change that is due, if one is.
func (e entry) at(now int64) entry {
	if e.changesAt == 0 || now < e.changesAt {
		return e
	}
	if e.Next != e.Color {
		e.since = e.changesAt
	}
	e.Color, e.Reason = e.Next, e.NextReason
	e.Next, e.NextReason, e.changesAt = None, "", 0
	return e
}

func (e entry) status(asOf time.Time) Status {
	st := Status{
		Scheme: Health, Color: e.Color, ReasonCode: e.Reason, Since: time.Unix(e.since, 0),
		AsOf: asOf, Suspended: e.Suspended, Deceased: e.Deceased,
	}
	if e.changesAt != 0 {
		st.ChangesAt = time.Unix(e.changesAt, 0)
	}
	return st
}
