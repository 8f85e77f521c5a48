package idnum

import (
	"strings"
	"unicode"
)

// MaskName hides most of a name: one character stays, of two the first stays,
// of three or more the first and the last; the rest are asterisks. A variation
// selector or accent counts with the character that it belongs to.
func MaskName(name string) string {
	c := characters(name)
	switch len(c) {
	case 0, 1:
		return name
	case 2:
		return c[0] + "*"
	}
	return c[0] + strings.Repeat("*", len(c)-2) + c[len(c)-1]
}

// MaskNumber hides a document number but for its first and last character.
func MaskNumber(number string) string {
	c := characters(number)
	if len(c) < 3 {
		return number
	}
	return c[0] + strings.Repeat("*", len(c)-2) + c[len(c)-1]
}

// MaskPhone hides a phone number but for its first three and last four digits.
// Of a number with nothing between these, all is hidden.
func MaskPhone(phone string) string {
	c := characters(phone)
	if len(c) < 8 {
		return strings.Repeat("*", len(c))
	}
	return strings.Join(c[:3], "") + strings.Repeat("*", len(c)-7) + strings.Join(c[len(c)-4:], "")
}

// characters splits a string into what a reader sees as one: a code point with
// the marks that follow it. Ideographs outside the basic plane are one code
// point each in Go; names written with variation selectors have two.
func characters(s string) []string {
	var all []string
	for _, r := range s {
		if len(all) > 0 && unicode.In(r, unicode.Mn, unicode.Me, unicode.Mc) {
			all[len(all)-1] += string(r)
			continue
		}
		all = append(all, string(r))
	}
	return all
}
