package db

import "testing"

func TestNumberedPlaceholdersInOrderLoseTheirNumbers(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"select 1", "select 1"},
		{"insert into t values ($1, $2), ($3,$4)", "insert into t values (?, ?), (?,?)"},
		{"$1 $2 $3 $4 $5 $6 $7 $8 $9 $10 $11", "? ? ? ? ? ? ? ? ? ? ?"},
		{"$1$2", "??"},
		{"'$1 it''s $2' || $1", "'$1 it''s $2' || ?"},
		{`"a$1" = $1 -- $2
			and b = $2 /* $3 */ + $3`, `"a$1" = ? -- $2
			and b = ? /* $3 */ + ?`},
		{"a - $1 / $2", "a - ? / ?"},
		{"select 'open $1", "select 'open $1"},
		{"select $1 -- $2", "select ? -- $2"},
		// Another order than 1, 2, 3 … stays.
		{"$2 $1", "$2 $1"},
		{"$1 $1", "$1 $1"},
		{"$1 $3", "$1 $3"},
		{"$1 $20", "$1 $20"},
		{"$1 $name", "$1 $name"},
		{"$1 $", "$1 $"},
		{"$01", "?"},
		{"$1 $99999999999999999999999", "$1 $99999999999999999999999"},
	} {
		if got := unnumbered(test.in); got != test.want {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		}
	}
}

func TestVersionsCompareByNumber(t *testing.T) {
	for _, test := range []struct {
		have, want string
		enough     bool
	}{
		{"3.51.3", "3.51.3", true}, {"3.51.10", "3.51.3", true}, {"3.52.0", "3.51.3", true}, {"4.0", "3.51.3", true},
		{"3.51.2", "3.51.3", false}, {"3.9.9", "3.51.3", false}, {"3.51", "3.51.3", false}, {"", "3.51.3", false},
	} {
		if versionAtLeast(test.have, test.want) != test.enough {
			t.Errorf("%q against %q", test.have, test.want)
		}
	}
}
