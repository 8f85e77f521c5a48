package idnum

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/citycode/citycode/internal/fault"
)

// maxName is the longest name in code points: the national register's longest
// are minority and foreign names of under 50.
const maxName = 50

// ValidName checks a person's name: 1 to 50 code points, a letter or ideograph
// among them, no blank at either end, and nothing but letters, marks, numerals,
// private-use ideographs (registers have them for rare characters), blanks and
// the punctuation of names. Controls and invisible direction marks could make a
// name look like another. The error is fault Invalid "invalid_name".
func ValidName(name string) error {
	if problem := nameProblem(name); problem != "" {
		return fault.New(fault.Invalid, "invalid_name", "%s", problem)
	}
	return nil
}

func nameProblem(name string) string {
	switch {
	case !utf8.ValidString(name):
		return "not UTF-8"
	case name == "":
		return "empty"
	case utf8.RuneCountInString(name) > maxName:
		return "longer than 50 characters"
	case strings.TrimSpace(name) != name:
		return "a blank at the beginning or end"
	}
	letters := false
	for _, r := range name {
		switch {
		case isFiller(r):
			return "an invisible character"
		case unicode.IsLetter(r), unicode.Is(unicode.Co, r), r == '\u3007': // 〇 is a numeral to Unicode
			letters = true
		case unicode.IsMark(r), unicode.IsNumber(r), isNamePunctuation(r):
		case unicode.IsControl(r):
			return "a control character"
		default:
			return "a character that names don't have"
		}
	}
	if !letters {
		return "no letter"
	}
	return ""
}

// isFiller tells the Hangul fillers, letters to Unicode that show nothing.
func isFiller(r rune) bool {
	return r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0'
}

// isNamePunctuation: the middle dots of minority and translated names, and what
// Latin names have.
func isNamePunctuation(r rune) bool {
	switch r {
	case ' ', '\u3000', '\u00b7', '\u2022', '\u2027', '\u30fb', '.', ',', '\'', '\u2019', '-', '\u2010', '(', ')', '\uff08', '\uff09':
		return true
	}
	return false
}

// ValidPhone normalises a phone number to digits, with a leading "+" when it is
// not a mainland one: 11 digits of a mobile phone, an area code with 0 and 7 or
// 8 digits, or an international number of 8 to 15 digits (ITU-T E.164). The
// error is fault Invalid "invalid_phone".
func ValidPhone(phone string) (string, error) {
	n, ok := phoneDigits(phone)
	if ok {
		for _, prefix := range []string{"+86", "0086"} {
			if rest, found := strings.CutPrefix(n, prefix); found {
				n = rest
				if !isMobile(n) && !strings.HasPrefix(n, "0") {
					n = "0" + n // an area code loses its 0 after the country code
				}
				break
			}
		}
		if len(n) == 13 && strings.HasPrefix(n, "86") && isMobile(n[2:]) {
			n = n[2:]
		}
		if isMobile(n) || isLandline(n) || isInternational(n) {
			return n, nil
		}
	}
	return "", fault.New(fault.Invalid, "invalid_phone", "want a mobile or landline number of the mainland, or + and a country code")
}

// phoneDigits keeps digits and a leading plus, drops separators, and fails on
// anything else.
func phoneDigits(s string) (string, bool) {
	if len(s) > 128 {
		return "", false
	}
	var b strings.Builder
	for _, r := range s {
		if '\uff01' <= r && r <= '\uff5e' {
			r -= '\uff01' - '!'
		}
		switch {
		case '0' <= r && r <= '9', r == '+' && b.Len() == 0:
			b.WriteByte(byte(r))
		case isSeparator(r):
		default:
			return "", false
		}
	}
	return b.String(), true
}

func isMobile(n string) bool {
	return len(n) == 11 && n[0] == '1' && n[1] >= '3' && allDigits(n)
}

func isLandline(n string) bool {
	return len(n) >= 10 && len(n) <= 12 && n[0] == '0' && n[1] != '0' && allDigits(n)
}

func isInternational(n string) bool {
	return len(n) >= 9 && len(n) <= 16 && n[0] == '+' && n[1] != '0' && allDigits(n[1:])
}
