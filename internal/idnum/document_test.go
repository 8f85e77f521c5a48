package idnum

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/internal/fault"
)

// now is on 2026-11-22 in the city, and the day before in UTC.
var now = time.Date(2026, 11, 22, 7, 59, 0, 0, time.FixedZone("UTC+8", 8*60*60))

// with appends the check digit to 17 digits.
func with(first17 string) string { return first17 + string(CheckDigit(first17)) }

func TestResidentNumbers(t *testing.T) {
	for _, c := range []struct {
		name, number string
		sample       bool
		want         string // normalised; "" when refused
		notes        []Note
	}{
		{name: "the standard's example", number: "11010519491231002X", want: "11010519491231002X"},
		{name: "the standard's second example", number: "440524188001010014", want: "440524188001010014", notes: []Note{CountyNotInTable}},
		{name: "lower-case x", number: "11010519491231002x", want: "11010519491231002X"},
		{name: "full-width", number: "１１０１０５１９４９１２３１００２Ｘ", want: "11010519491231002X"},
		{name: "spaces and hyphens", number: " 110105 1949-1231　002X\n", want: "11010519491231002X"},
		{name: "byte-order mark before", number: "\ufeff11010519491231002X", want: "11010519491231002X"},
		{name: "wrong check digit", number: "110105194912310021"},
		{name: "two digits swapped", number: "11010519491213002X"},
		{name: "17 digits", number: "11010519491231002"},
		{name: "19 characters", number: "11010519491231002X1"},
		{name: "X in the middle", number: "1101051949123100X2"},
		{name: "empty"},
		{name: "first-generation card", number: "110105491231002"},
		{name: "letters", number: "ABCDEFGHIJKLMNOPQR"},
		{name: "Arabic-Indic digits", number: "١١٠١٠٥١٩٤٩١٢٣١٠٠٢X"},
		{name: "Cyrillic Х at the end", number: "11010519491231002Х"},
		{name: "a control character", number: "11010519491231002X\x00"},
		{name: "very long", number: strings.Repeat(" ", 1000) + "11010519491231002X"},

		{name: "30 February", number: with("31010119900230001")},
		{name: "29 February of a leap year", number: with("31010120000229001"), want: with("31010120000229001")},
		{name: "29 February of a common year", number: with("31010119000229001")},
		{name: "31 April", number: with("31010119900431001")},
		{name: "month 0", number: with("31010119900001001")},
		{name: "month 13", number: with("31010119901301001")},
		{name: "day 0", number: with("31010119900100001")},
		{name: "born today", number: with("31010120261122001"), want: with("31010120261122001")},
		{name: "born tomorrow", number: with("31010120261123001")},
		{name: "born on the last day of 1849", number: with("31010118491231001")},
		{name: "born on the first day of 1850", number: with("31010118500101001"), want: with("31010118500101001")},

		{name: "province 16", number: with("16010119900101001")},
		{name: "province 00", number: with("00010119900101001")},
		{name: "province 91", number: with("91010119900101001")},
		{name: "Luwan, merged into Huangpu", number: with("31010319500101001"), want: with("31010319500101001"), notes: []Note{CountyNotInTable}},
		{name: "Nanhui, merged into Pudong", number: with("31022519500101001"), want: with("31022519500101001"), notes: []Note{CountyNotInTable}},
		{name: "Dongguan, a city without districts", number: with("44190019900101001"), want: with("44190019900101001")},
		{name: "a whole province but the sample one", number: with("32000019900101001"), want: with("32000019900101001"), notes: []Note{CountyNotInTable}},
		{name: "resident of Hong Kong", number: with("81000019900101001"), want: with("81000019900101001")},
		{name: "resident of Macau", number: with("82000019900101001"), want: with("82000019900101001")},
		{name: "resident of Taiwan", number: with("83000019900101001"), want: with("83000019900101001")},
		{name: "Taiwan in GB/T 2260", number: with("71000019900101001"), want: with("71000019900101001"), notes: []Note{CountyNotInTable}},

		{name: "a sample in production", number: with("31000019900101001")},
		{name: "a sample in the demo", number: with("31000019900101001"), sample: true, want: with("31000019900101001")},
		{name: "a sample with a wrong birth date", number: with("31000019900230001"), sample: true},
		{name: "an ordinary number in the demo", number: with("31010119900101001"), sample: true, want: with("31010119900101001")},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, notes, err := Parse("resident_id", c.number, Options{AllowSample: c.sample, Now: now})
			check(t, d, notes, err, ResidentID, c.number, c.want, c.notes)
		})
	}
}

func check(t *testing.T, d Document, notes []Note, err error, kind Kind, number, want string, wantNotes []Note) {
	t.Helper()
	if want == "" {
		if fault.CodeOf(err) != "invalid_id_number" || fault.KindOf(err) != fault.Invalid || d != (Document{}) || notes != nil {
			t.Fatalf("%q gave %+v, %v, %v; want invalid_id_number", number, d, notes, err)
		}
		if n := strings.TrimSpace(number); len(n) > 4 && strings.Contains(err.Error(), n) {
			t.Errorf("the error quotes the number: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%q: %v", number, err)
	}
	if diff := cmp.Diff(Document{kind, want}, d); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantNotes, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

func TestOtherDocumentNumbers(t *testing.T) {
	for _, c := range []struct {
		kind         Kind
		name, number string
		want         string
		notes        []Note
	}{
		{HKMacauPermit, "Hong Kong", "h12345678", "H12345678", nil},
		{HKMacauPermit, "Macau", "M 1234 5678", "M12345678", nil},
		{HKMacauPermit, "with the count of renewals", "H1234567801", "H1234567801", nil},
		{HKMacauPermit, "another letter", "C12345678", "", nil},
		{HKMacauPermit, "7 digits", "H1234567", "", nil},
		{HKMacauPermit, "9 digits", "H123456789", "", nil},
		{HKMacauPermit, "no letter", "123456789", "", nil},
		{HKMacauPermit, "letters", "HABCDEFGH", "", nil},
		{HKMacauPermit, "empty", "", "", nil},

		{TaiwanPermit, "card", "12345678", "12345678", nil},
		{TaiwanPermit, "booklet", "0012345601", "0012345601", nil},
		{TaiwanPermit, "booklet with the office's letter", "0012345601(B)", "0012345601B", nil},
		{TaiwanPermit, "full-width brackets", "0012345601（Ｂ）", "0012345601B", nil},
		{TaiwanPermit, "9 digits", "123456789", "", nil},
		{TaiwanPermit, "letter first", "A12345678", "", nil},

		{Passport, "of China", "e12345678", "E12345678", nil},
		{Passport, "digits", "123456789", "123456789", nil},
		{Passport, "short", "A1234", "A1234", nil},
		{Passport, "too short", "A123", "", nil},
		{Passport, "too long", "A123456789", "", nil},
		{Passport, "no digit", "PASSPORT", "", nil},
		{Passport, "filler", "E1234567<", "", nil},

		{ForeignPR, "new", with("93184019900101001"), with("93184019900101001"), nil},
		{ForeignPR, "new, wrong check digit", "931840199001010010", "", nil},
		{ForeignPR, "new, not beginning with 9", with("31010119900101001"), "", nil},
		{ForeignPR, "new, unknown province", with("99984019900101001"), "", nil},
		{ForeignPR, "new, no such day", with("93184019900230001"), "", nil},
		{ForeignPR, "new, in the future", with("93184020270101001"), "", nil},
		{ForeignPR, "old", "kaz110090123105", "KAZ110090123105", nil},
		{ForeignPR, "old, another last digit", "KAZ110090123106", "KAZ110090123106", []Note{CheckDigitDiffers}},
		{ForeignPR, "old, born on a 29 February", "KAZ310000022900", "KAZ310000022900", nil},
		{ForeignPR, "old, no such day", "KAZ310090023000", "", nil},
		{ForeignPR, "old, unknown province", "KAZ990090123105", "", nil},
		{ForeignPR, "old, 14 characters", "USA31009001011", "", nil},
		{ForeignPR, "old, digits for letters", "123310090010110", "", nil},
		{ForeignPR, "empty", "", "", nil},
	} {
		t.Run(string(c.kind)+" "+c.name, func(t *testing.T) {
			d, notes, err := Parse(string(c.kind), c.number, Options{Now: now})
			check(t, d, notes, err, c.kind, c.number, c.want, c.notes)
		})
	}
}

func TestUnknownKindIsRefused(t *testing.T) {
	for _, kind := range []string{"", "driving_licence", "RESIDENT_ID", "resident_id "} {
		if _, _, err := Parse(kind, "11010519491231002X", Options{}); fault.CodeOf(err) != "unknown_document_kind" {
			t.Errorf("%q: %v", kind, err)
		}
	}
	for _, kind := range Kinds() {
		if _, _, err := Parse(string(kind), "", Options{}); fault.CodeOf(err) != "invalid_id_number" {
			t.Errorf("%q: %v", kind, err)
		}
	}
}

func TestWhatANumberTells(t *testing.T) {
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		doc      Document
		birth    time.Time
		district string
		sex      Sex
	}{
		{Document{ResidentID, "11010519491231002X"}, day(1949, 12, 31), "110105", Female},
		{Document{ResidentID, "440524188001010014"}, day(1880, 1, 1), "440524", Male},
		{Document{ForeignPR, with("93184019900704003")}, day(1990, 7, 4), "", Male},
		{Document{ForeignPR, "USA310090010110"}, time.Time{}, "", ""},
		{Document{Passport, "E12345678"}, time.Time{}, "", ""},
		{Document{}, time.Time{}, "", ""},
	} {
		birth, ok := c.doc.BirthDate()
		if !birth.Equal(c.birth) || ok != !c.birth.IsZero() || c.doc.District() != c.district || c.doc.Sex() != c.sex {
			t.Errorf("%v: %v %v, %q, %q", c.doc.Kind, birth, ok, c.doc.District(), c.doc.Sex())
		}
	}
}

func TestBirthDateIsComparedWithTheDayWhereTheCityIs(t *testing.T) {
	number := with("31010120261122001")
	utc := now.UTC() // still the 21st
	if _, _, err := Parse("resident_id", number, Options{Now: utc}); err == nil {
		t.Error("born tomorrow in the zone given, and taken")
	}
	if _, _, err := Parse("resident_id", number, Options{Now: now}); err != nil {
		t.Errorf("born today: %v", err)
	}
	if _, _, err := Parse("resident_id", with("31010129990101001"), Options{}); err == nil {
		t.Error("without Now, a birth in 2999 was taken")
	}
}

func TestCheckDigitOfAnythingElseIsZero(t *testing.T) {
	for _, s := range []string{"", "1", "1101051949123100", "110105194912310020", "1101051949123100X"} {
		if c := CheckDigit(s); c != 0 {
			t.Errorf("%q: %q", s, c)
		}
	}
}

// GB 11643 writes the check digit as a table over a weighted sum.
func TestCheckDigitAgreesWithTheTableOfTheStandard(t *testing.T) {
	weights := [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	seen := map[byte]bool{}
	for i := range 5000 {
		digits := []byte("31010119900101000")
		for n, pos := i*7919, 0; pos < 17; pos++ {
			digits[pos] = '0' + byte((n+pos*i)%10)
			n /= 3
		}
		sum := 0
		for p, w := range weights {
			sum += int(digits[p]-'0') * w
		}
		want := "10X98765432"[sum%11]
		if got := CheckDigit(string(digits)); got != want {
			t.Fatalf("%s: %q, want %q", digits, got, want)
		}
		seen[want] = true
	}
	if len(seen) != 11 {
		t.Errorf("only %d of 11 check digits came up", len(seen))
	}
}

func TestCountyTableIsSortedAndComplete(t *testing.T) {
	_, body, found := strings.Cut(countyTable, "\n\n")
	codes := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	if !found || len(codes) < 2900 || len(codes) > 3300 {
		t.Fatalf("%d codes", len(codes))
	}
	if !slices.IsSorted(codes) || len(slices.Compact(slices.Clone(codes))) != len(codes) {
		t.Error("not in order, or twice")
	}
	provinces := map[string]bool{}
	for _, c := range codes {
		if len(c) != 6 || !allDigits(c) || !knownProvince(c[:2]) || !knownCounty(c) {
			t.Errorf("code %q", c)
		}
		provinces[c[:2]] = true
	}
	if len(provinces) != 31 {
		t.Errorf("%d provinces", len(provinces))
	}
	for _, gone := range []string{"310102", "310103", "310108", "310119", "310225", sampleRegion, "000000", "999999", "310", ""} {
		if knownCounty(gone) {
			t.Errorf("%q is in the table", gone)
		}
	}
	for _, there := range []string{"110101", "310101", "310115", "310151", "441900", "659012"} {
		if !knownCounty(there) {
			t.Errorf("%q isn't in the table", there)
		}
	}
}

func FuzzParsedNumberParsesAgainToItself(f *testing.F) {
	for _, n := range []string{"11010519491231002X", "Ｈ１２３４５６７８", "0012345601(B)", "E12345678", "USA310090010110", "931840199001010010"} {
		for _, k := range Kinds() {
			f.Add(string(k), n)
		}
	}
	f.Fuzz(func(t *testing.T, kind, number string) {
		d, notes, err := Parse(kind, number, Options{Now: now})
		if err != nil {
			return
		}
		again, notesAgain, err := Parse(string(d.Kind), d.Number, Options{Now: now})
		if err != nil || again != d || !slices.Equal(notes, notesAgain) {
			t.Fatalf("%q became %+v, which became %+v, %v", number, d, again, err)
		}
		if strings.ContainsFunc(d.Number, func(r rune) bool { return r > 'Z' || !isDigit(byte(r)) && !isLetter(byte(r)) }) {
			t.Fatalf("%q", d.Number)
		}
		if birth, ok := d.BirthDate(); ok && (birth.Year() < 1850 || birth.After(now)) {
			t.Fatalf("%q: born %v", number, birth)
		}
		if district := d.District(); (district == "") != (d.Kind != ResidentID) {
			t.Fatalf("%q: district %q", number, district)
		}
	})
}

func BenchmarkParseResident(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Parse("resident_id", "11010519491231002X", Options{Now: now}); err != nil {
			b.Fatal(err)
		}
	}
}
