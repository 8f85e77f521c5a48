package idnum

import (
	"strings"
	"time"
)

// Sex is what the sequence of a number says; "" when it says nothing.
type Sex string

// The sexes that GB 11643 encodes: odd sequences are male.
const (
	Male   Sex = "male"
	Female Sex = "female"
)

// firstBirthYear is the earliest year of birth that is taken for real.
const firstBirthYear = 1850

// Layout of 18-digit numbers: region 0-5, birth date 6-13, sequence 14-16,
// check digit 17.
const residentLength = 18

func checkResident(n string, o Options) ([]Note, string) {
	if len(n) == 15 && allDigits(n) {
		return nil, "15 digits: numbers of the first generation of cards lapsed in 2013"
	}
	if problem := checkLayout(n); problem != "" {
		return nil, problem
	}
	region := n[:6]
	if !knownProvince(region[:2]) {
		return nil, "unknown province"
	}
	if region == sampleRegion && !o.AllowSample {
		return nil, "a sample: its region is assigned to nobody"
	}
	if problem := checkBirth(n[6:14], o.Now); problem != "" {
		return nil, problem
	}
	if region != sampleRegion && !knownCounty(region) {
		return []Note{CountyNotInTable}, ""
	}
	return nil, ""
}

// checkLayout checks length, characters and check digit, which resident numbers
// and new permanent residence numbers share.
func checkLayout(n string) string {
	switch {
	case len(n) != residentLength || !allDigits(n[:17]) || (n[17] != 'X' && !isDigit(n[17])):
		return "not 17 digits and a check digit"
	case n[17] != CheckDigit(n[:17]):
		return "wrong check digit"
	}
	return ""
}

// CheckDigit returns the 18th character for the first 17 digits: ISO 7064
// MOD 11-2 as GB 11643 uses it, '0' to '9' or 'X'. It returns 0 when first17 is
// not 17 digits.
func CheckDigit(first17 string) byte {
	if len(first17) != 17 || !allDigits(first17) {
		return 0
	}
	sum := 0
	for i := range 17 { // double-add form of the weights 2^(17−i) mod 11
		sum = (sum + int(first17[i]-'0')) * 2 % 11
	}
	return "0123456789X"[(12-sum)%11]
}

// checkBirth checks YYYYMMDD.
func checkBirth(s string, now time.Time) string {
	birth, ok := civilDate(s)
	switch {
	case !ok:
		return "no such birth date"
	case birth.Year() < firstBirthYear:
		return "birth date before 1850"
	case birth.After(today(now)):
		return "birth date in the future"
	}
	return ""
}

// civilDate returns the day YYYYMMDD as midnight UTC; false when the calendar
// has no such day. time.Date would carry 30 February over into March.
func civilDate(s string) (time.Time, bool) {
	d, err := time.Parse("20060102", s)
	return d, err == nil
}

// today is now's civil date as midnight UTC.
func today(now time.Time) time.Time {
	if now.IsZero() {
		now = time.Now().In(time.FixedZone("UTC+8", 8*60*60))
	}
	y, m, d := now.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// has18 tells whether the number has GB 11643's layout of birth date and
// sequence.
func (d Document) has18() bool {
	return (d.Kind == ResidentID || d.Kind == ForeignPR) && len(d.Number) == residentLength
}

// BirthDate returns the civil day of birth as midnight UTC, and false when the
// kind of number doesn't tell it (old permanent residence numbers lack the
// century).
func (d Document) BirthDate() (time.Time, bool) {
	if !d.has18() {
		return time.Time{}, false
	}
	return civilDate(d.Number[6:14])
}

// District returns the six digits of the county where a resident's number was
// given, as it was called then; "" for other kinds.
func (d Document) District() string {
	if d.Kind != ResidentID || len(d.Number) != residentLength {
		return ""
	}
	return d.Number[:6]
}

// Sex returns what the number says, "" when it says nothing.
func (d Document) Sex() Sex {
	switch {
	case !d.has18():
		return ""
	case strings.IndexByte("13579", d.Number[16]) >= 0:
		return Male
	}
	return Female
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'A' <= c && c <= 'Z' }
