package demo

import (
	"bytes"
	"image/jpeg"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/keys"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/status"
)

var today = time.Date(2026, 11, 22, 14, 0, 0, 0, time.FixedZone("UTC+8", 8*60*60))

func TestTheSamePeopleAreInventedWheneverAndHoweverMany(t *testing.T) {
	few, colors := People(500, today)
	again, _ := People(500, today.AddDate(3, 5, 7))
	if diff := cmp.Diff(few, again); diff != "" {
		t.Error(diff)
	}
	many, manyColors := People(900, today)
	if diff := cmp.Diff(few, many[:500]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(colors, manyColors[:500]); diff != "" {
		t.Error(diff)
	}
	if people, statuses := People(0, today); len(people)+len(statuses) != 0 {
		t.Error("nobody isn't nobody")
	}
}

func TestInventedPeopleAreLikeACitysAndEachIsValid(t *testing.T) {
	const n = 10_000
	people, statuses := People(n, today)
	colors := make(map[status.Color]int)
	numbers, phones := make(map[string]bool), make(map[string]bool)
	have := make(map[string]int)
	for _, p := range Personas() {
		people, statuses = append(people, p.Record), append(statuses, p.Status)
	}
	for i, p := range people {
		d, notes, err := idnum.Parse(string(p.Document.Kind), p.Document.Number, idnum.Options{AllowSample: true, Now: today})
		if err != nil || d != p.Document || len(notes) != 0 {
			t.Fatalf("%+v: %v %v", p.Document, notes, err)
		}
		if err := idnum.ValidName(p.Name); err != nil || person.CleanName(p.Name) != p.Name {
			t.Fatalf("%q: %v", p.Name, err)
		}
		if numbers[d.Number] || p.Phone != "" && phones[p.Phone] {
			t.Fatalf("%s or %s twice", d.Number, p.Phone)
		}
		numbers[d.Number], phones[p.Phone] = true, true
		if p.Phone != "" {
			if phone, err := idnum.ValidPhone(p.Phone); err != nil || phone != p.Phone || !strings.HasPrefix(phone, "154") {
				t.Fatalf("%s: %v", p.Phone, err)
			}
		}
		switch d.Kind {
		case idnum.ResidentID:
			if birth, _ := d.BirthDate(); d.District() != "310000" || birth.Format(time.DateOnly) != p.BirthDate {
				t.Fatalf("%s was born %s", d.Number, p.BirthDate)
			}
		case idnum.Passport:
			have["passport"]++
		}
		if p.Photo != nil {
			have["portrait"]++
		}
		for _, r := range p.Name {
			if r > 0xffff {
				have["beyond the basic plane"]++
			}
		}
		if strings.Contains(p.Name, "·") {
			have["middle dot"]++
		}
		for _, s := range doubleSurnames() {
			if strings.HasPrefix(p.Name, s) {
				have["double surname"]++
			}
		}
		if c := utf8.RuneCountInString(p.Name); c <= 4 {
			have[string(rune('0'+c))+" characters"]++
		}
		if year := p.BirthDate[:4]; year < "1966" {
			have["over 60"]++
		} else if year > "2011" {
			have["children"]++
		}
		colors[statuses[i].Color]++
		if statuses[i].Color != status.Green && !status.ValidReason(statuses[i].Reason) {
			t.Fatalf("%+v", statuses[i])
		}
	}
	if colors[status.Yellow] != n*3/1000+1 || colors[status.Red] != n/1000+1 || colors[status.Green] != n*996/1000+3 {
		t.Errorf("%v", colors)
	}
	for what, most := range map[string]int{"passport": 100, "portrait": 200, "beyond the basic plane": 100, "middle dot": 200, "double surname": 300,
		"2 characters": 4000, "3 characters": 9000, "4 characters": 500, "over 60": 4000, "children": 3000} {
		if have[what] < most/20 || have[what] > most {
			t.Errorf("%s: %d", what, have[what])
		}
	}
	t.Log(have)
}

func TestPersonasAreWhatVisitorsAreTold(t *testing.T) {
	colors := map[string]status.Color{"resident-green": status.Green, "resident-yellow": status.Yellow, "resident-red": status.Red, "elder": status.Green, "verifier": status.Green}
	for _, p := range Personas() {
		if p.Status.Color != colors[p.Name] {
			t.Errorf("%s is %v", p.Name, p.Status.Color)
		}
		delete(colors, p.Name)
		birth, _ := p.Record.Document.BirthDate()
		for _, year := range []int{2026, 2040} {
			age := year - birth.Year()
			if elder := p.Name == "elder"; elder && age < 61 || !elder && (age < 20 || age > 59) {
				t.Errorf("%s is %d in %d", p.Name, age, year)
			}
		}
		for _, lang := range []string{"zh-CN", "en"} {
			if p.Title[lang] == "" || p.Try[lang] == "" {
				t.Errorf("%s says nothing in %s", p.Name, lang)
			}
		}
		if verifier := p.App == "verifier"; verifier != (len(p.Scenes) == 2) || (p.Name == "verifier") != verifier {
			t.Errorf("%s: app %s, scenes %v", p.Name, p.App, p.Scenes)
		}
		found, ok := Find(p.Name)
		found.Record.Photo = p.Record.Photo
		if diff := cmp.Diff(p, found); diff != "" || !ok {
			t.Error(diff)
		}
	}
	if len(colors) != 0 {
		t.Errorf("missing: %v", colors)
	}
	if _, ok := Find("nobody"); ok {
		t.Error("nobody is found")
	}
}

func TestPortraitsAreSmallDrawingsThatDiffer(t *testing.T) {
	seen := make(map[string]bool)
	for i := range uint64(20) {
		p := Portrait(i)
		if clean, reason := person.CleanPhoto(p); reason != "" || !bytes.Equal(clean, p) || len(p) > 20_000 {
			t.Errorf("%d bytes, %q", len(p), reason)
		}
		img, err := jpeg.Decode(bytes.NewReader(p))
		if err != nil || img.Bounds().Dx() != 240 || img.Bounds().Dy() != 320 {
			t.Fatalf("%v", err)
		}
		seen[string(p)] = true
		if !bytes.Equal(p, Portrait(i)) {
			t.Error("drawn again, it differs")
		}
	}
	if len(seen) != 20 {
		t.Errorf("%d different of 20", len(seen))
	}
}

func TestTenThousandPeopleArePutIntoTheDatabase(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		file, err := keys.CreateFile(filepath.Join(t.TempDir(), "key"))
		if err != nil {
			t.Fatal(err)
		}
		keeper, err := keys.Open(t.Context(), keys.Config{DB: d.Main, File: file})
		if err != nil {
			t.Fatal(err)
		}
		node, err := commit.Open(t.Context(), commit.Config{DB: d.Main, Keys: keeper, Name: "test"})
		if err != nil {
			t.Fatal(err)
		}
		colors := status.New(status.Config{DB: d.Main, Node: node})
		people := person.New(person.Config{DB: d.Main, Keys: keeper, PersonKeys: keys.OpenPersonKeys(d.PersonKeys, file), Node: node, Status: colors, AllowSample: true})
		start := time.Now()
		records, statuses := People(10_000, today)
		invented := time.Since(start)
		ids, err := people.Put(t.Context(), records)
		if err != nil {
			t.Fatal(err)
		}
		city := City{Node: node, Status: colors, Now: time.Now}
		if err := city.assign(t.Context(), ids, statuses); err != nil {
			t.Fatal(err)
		}
		t.Logf("invented in %v, all done in %v", invented, time.Since(start))
		if err := colors.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c := colors.Counts(); c != (status.Counts{Green: 9960, Yellow: 30, Red: 10}) {
			t.Errorf("%+v", c)
		}
		p, err := people.Get(t.Context(), ids[9_999])
		if err != nil || p.Name != records[9_999].Name {
			t.Errorf("%+v %v", p, err)
		}
		again, err := people.Put(t.Context(), records[:1500])
		if diff := cmp.Diff(ids[:1500], again); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	})
}
