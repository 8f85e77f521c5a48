package idnum

// isHKMacauPermit: H for Hong Kong or M for Macau and the holder's 8 digits,
// the same for life; cards issued before 2013 print two more for how often they
// were renewed.
func isHKMacauPermit(n string) bool {
	return (len(n) == 9 || len(n) == 11) && (n[0] == 'H' || n[0] == 'M') && allDigits(n[1:])
}

// isTaiwanPermit: the holder's 8 digits, the same for life, on cards since 2015;
// booklets print two more for how often they were renewed, and some the issuing
// office's letter in brackets.
func isTaiwanPermit(n string) bool {
	switch len(n) {
	case 8, 10:
		return allDigits(n)
	case 11:
		return allDigits(n[:10]) && isLetter(n[10])
	}
	return false
}

// isPassport: ICAO Doc 9303 part 4 has room for 9 letters and digits. No state
// is known to issue numbers under 5 characters or without a digit.
func isPassport(n string) bool {
	if len(n) < 5 || len(n) > 9 {
		return false
	}
	for i := range len(n) {
		if isDigit(n[i]) {
			return true
		}
	}
	return false
}

// checkForeignPR checks both generations of permanent residence numbers.
//
// Since December 2023: 9, province (2), nationality at first issue, ISO 3166-1
// numeric (3), birth date (8), sequence (3), check digit as in GB 11643.
//
// Before: nationality, ISO 3166-1 alpha-3 (3 letters), region (4), birth date
// without century (6), sequence (1), check digit.
func checkForeignPR(n string, o Options) ([]Note, string) {
	switch len(n) {
	case residentLength:
		if problem := checkLayout(n); problem != "" {
			return nil, problem
		}
		if n[0] != '9' {
			return nil, "does not begin with 9"
		}
		if !knownProvince(n[1:3]) {
			return nil, "unknown province"
		}
		return nil, checkBirth(n[6:14], o.Now)
	case 15:
		if !isLetter(n[0]) || !isLetter(n[1]) || !isLetter(n[2]) || !allDigits(n[3:]) {
			return nil, "not 3 letters and 12 digits"
		}
		if !knownProvince(n[3:5]) {
			return nil, "unknown province"
		}
		_, in1900s := civilDate("19" + n[7:13])
		_, in2000s := civilDate("20" + n[7:13])
		if !in1900s && !in2000s {
			return nil, "no such birth date"
		}
		if n[14] != icaoCheckDigit(n[:14]) {
			return []Note{CheckDigitDiffers}, ""
		}
		return nil, ""
	}
	return nil, "neither 18 digits nor 3 letters and 12 digits"
}

// icaoCheckDigit is the check digit of ICAO Doc 9303 part 3 §4.9: weights 7, 3,
// 1 and letters as 10 to 35, modulo 10.
func icaoCheckDigit(s string) byte {
	sum := 0
	for i := range len(s) {
		v := int(s[i] - '0')
		if isLetter(s[i]) {
			v = int(s[i]-'A') + 10
		}
		sum += v * [3]int{7, 3, 1}[i%3]
	}
	return byte('0' + sum%10)
}
