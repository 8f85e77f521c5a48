package idnum

import (
	"strings"
	"time"

	"github.com/citycode/citycode/internal/fault"
)

// Kind names a kind of document, as in the HTTP interface and in files.
type Kind string

// The kinds.
const (
	ResidentID    Kind = "resident_id"
	HKMacauPermit Kind = "hk_macau_permit"
	TaiwanPermit  Kind = "taiwan_permit"
	Passport      Kind = "passport"
	ForeignPR     Kind = "foreign_pr"
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{ResidentID, HKMacauPermit, TaiwanPermit, Passport, ForeignPR}
}

// Document is a document's kind and normalised number: upper case, full-width
// characters narrowed, without spaces and separators.
type Document struct {
	Kind   Kind
	Number string
}

// Note is something about an accepted number that an importer may want to look
// at.
type Note string

// The notes.
const (
	// CountyNotInTable: the county doesn't exist today. Elders bear the codes of
	// counties that were merged away.
	CountyNotInTable Note = "county_not_in_table"
	// CheckDigitDiffers: the last digit of an old permanent residence number is
	// not the ICAO 7-3-1 check digit. The rule for these numbers was never
	// published, so that it refuses nobody.
	CheckDigitDiffers Note = "check_digit_differs"
)

// Options tunes Parse; the zero value is right for production.
type Options struct {
	// AllowSample takes region 310000, which is assigned to nobody. Invented
	// people bear it; only the demo takes them.
	AllowSample bool
	// Now is the moment whose civil date, in its own zone, no birth date may
	// exceed. Zero means the present day in UTC+8.
	Now time.Time
}

// sampleRegion is assigned to nobody: a whole municipality has no county code.
const sampleRegion = "310000"

// Parse normalises and checks a number. Its errors are fault Invalid
// "unknown_document_kind" and "invalid_id_number"; what is wrong is in the
// detail, the number is not.
func Parse(kind, number string, o Options) (Document, []Note, error) {
	d := Document{Kind: Kind(kind)}
	n, ok := normalize(number)
	if !ok {
		n = "" // of no form
	}
	d.Number = n
	var notes []Note
	var problem string
	switch d.Kind {
	case ResidentID:
		notes, problem = checkResident(n, o)
	case HKMacauPermit:
		problem = formProblem(isHKMacauPermit(n), "not H or M with 8 or 10 digits")
	case TaiwanPermit:
		problem = formProblem(isTaiwanPermit(n), "not 8 digits, nor 10 digits and at most one letter")
	case Passport:
		problem = formProblem(isPassport(n), "not 5 to 9 letters and digits with a digit among them")
	case ForeignPR:
		notes, problem = checkForeignPR(n, o)
	default:
		return Document{}, nil, fault.New(fault.Invalid, "unknown_document_kind", "want one of resident_id, hk_macau_permit, taiwan_permit, passport, foreign_pr")
	}
	if problem != "" {
		return Document{}, nil, fault.New(fault.Invalid, "invalid_id_number", "%s: %s", d.Kind, problem)
	}
	return d, notes, nil
}

func formProblem(ok bool, problem string) string {
	if ok {
		return ""
	}
	return problem
}

// normalize maps full-width forms to ASCII (the part of NFKC that input methods
// produce), a-z to A-Z, and drops spaces and separators. Any other character
// than A-Z and 0-9 makes it fail: lookalikes from other scripts are not numbers.
func normalize(s string) (string, bool) {
	if len(s) > 128 { // the longest number is 18 characters
		return "", false
	}
	var b strings.Builder
	for _, r := range s {
		if '\uff01' <= r && r <= '\uff5e' {
			r -= '\uff01' - '!'
		}
		switch {
		case '0' <= r && r <= '9', 'A' <= r && r <= 'Z':
			b.WriteByte(byte(r))
		case 'a' <= r && r <= 'z':
			b.WriteByte(byte(r) - ('a' - 'A'))
		case isSeparator(r):
		default:
			return "", false
		}
	}
	return b.String(), true
}

// isSeparator tells what people and spreadsheets put between digits: blanks of
// any width, hyphens and dashes, dots, and the brackets that enclose the
// issuing letter of old Taiwan permits. A byte-order mark counts as a blank.
func isSeparator(r rune) bool {
	switch r {
	case ' ', '\t', '\r', '\n', '\u00a0', '\u2002', '\u2003', '\u2009', '\u200b', '\u202f', '\u3000', '\ufeff',
		'-', '\u2010', '\u2011', '\u2012', '\u2013', '\u2014', '\u2212', '.', '\u00b7', '_', '/', '(', ')':
		return true
	}
	return false
}
