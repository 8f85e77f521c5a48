package demo

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/status"
)

// seed and lastDay fix the people: a demo that is started again years later has
// the same ones, with the same birthdays.
const seed = 31_0000

func lastDay() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// portraitEvery is how many residents there are to one with a portrait: drawing
// one takes some milliseconds, and a demo is to start in seconds.
const portraitEvery = 100

// People invents n residents, the same ones each time: the first k of n are the
// k of a smaller city. Statuses belong to them by index; 0.3 % are yellow and
// 0.1 % red, since some time before now is over.
//
// Names are put together at random from common parts, so that they look like a
// city's: two to four characters, double surnames, names with a middle dot,
// characters beyond the basic plane, some foreigners with passports. Document
// numbers bear region 310000 and passport numbers begin with SAMPLE's letters;
// phone numbers begin with 154, which no carrier has.
func People(n int, _ time.Time) ([]person.Record, []Status) {
	g := &generator{rand: rand.New(rand.NewPCG(seed, seed)), taken: make(map[string]bool)}
	for _, p := range personas() {
		g.taken[p.Record.Document.Number] = true
	}
	people, statuses := make([]person.Record, n), make([]Status, n)
	for i := range n {
		people[i], statuses[i] = g.resident(i), colorOf(i)
	}
	return people, statuses
}

type generator struct {
	rand  *rand.Rand
	taken map[string]bool // document numbers
}

func (g *generator) resident(i int) person.Record {
	birth := g.birth()
	male := g.rand.IntN(2) == 0
	r := person.Record{BirthDate: birth.Format(time.DateOnly), Phone: phone(i)}
	if i%250 == 249 {
		r.Name = g.foreignName()
		r.Document = idnum.Document{Kind: idnum.Passport, Number: fmt.Sprintf("SMP%06d", i%1_000_000)}
	} else {
		r.Name = g.name(i, birth.Year(), male)
		r.Document = g.document(birth, male)
	}
	// Small children have no phone of their own, and many elders none either.
	if age := lastDay().Year() - birth.Year(); age < 8 || age > 75 && g.rand.IntN(3) == 0 {
		r.Phone = ""
	}
	if i%portraitEvery == 0 {
		r.Photo = Portrait(uint64(i))
	}
	return r
}

// phone gives numbers that differ for a hundred million residents. Residents of
// personas end above 99,990,000.
func phone(i int) string { return fmt.Sprintf("154%08d", i%99_990_000) }

// birth spreads ages as a large city's are: many between 25 and 60, few over 90.
func (g *generator) birth() time.Time {
	bands := [...]struct{ from, to, share int }{{0, 14, 10}, {15, 24, 9}, {25, 39, 28}, {40, 59, 29}, {60, 74, 17}, {75, 89, 6}, {90, 104, 1}}
	at := g.rand.IntN(100)
	for _, b := range bands {
		if at -= b.share; at < 0 {
			age := b.from + g.rand.IntN(b.to-b.from+1)
			return lastDay().AddDate(-age, 0, -1-g.rand.IntN(365))
		}
	}
	return lastDay().AddDate(-40, 0, 0) // not reached: the shares add up to 100
}

// document gives a number that nobody of this run has.
func (g *generator) document(birth time.Time, male bool) idnum.Document {
	for {
		sequence := 2 * g.rand.IntN(500)
		if male {
			sequence++
		}
		if d := sample(birth.Format("20060102"), sequence); !g.taken[d.Number] {
			g.taken[d.Number] = true
			return d
		}
	}
}

// sample is a resident's number of the region that is assigned to nobody.
func sample(birth string, sequence int) idnum.Document {
	first := fmt.Sprintf("310000%s%03d", birth, sequence)
	return idnum.Document{Kind: idnum.ResidentID, Number: first + string(idnum.CheckDigit(first))}
}

// colorOf gives of each thousand three yellow and one red, spread out.
func colorOf(i int) Status {
	ago := time.Duration(5+i%90) * time.Hour
	switch i % 1000 {
	case 137, 402, 871:
		reason := "close_contact"
		if i%2 == 0 {
			reason = "risk_area"
		}
		return Status{Color: status.Yellow, Reason: reason, Ago: ago}
	case 613:
		return Status{Color: status.Red, Reason: "positive_test", Ago: ago}
	}
	return Status{Color: status.Green}
}
