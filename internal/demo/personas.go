package demo

import (
	"time"

	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/scene"
	"github.com/citycode/citycode/internal/status"
)

// Status is the colour that an invented person starts with.
type Status struct {
	Color  status.Color
	Reason string
	Ago    time.Duration // since when
}

// Persona is an invented person whom a visitor can sign in as.
type Persona struct {
	Name       string
	Title, Try map[string]string // by language
	App        string            // resident or verifier
	Record     person.Record
	Status     Status
	Scenes     []scene.Name // granted to a verifier
}

// Find returns the persona with the name, without the portrait.
func Find(name string) (Persona, bool) {
	for _, p := range personas() {
		if p.Name == name {
			return p, true
		}
	}
	return Persona{}, false
}

// Personas lists them in the order of the home page.
func Personas() []Persona {
	all := personas()
	for i := range all {
		// Numbers beyond those of residents.
		all[i].Record.Photo = Portrait(1<<32 + uint64(i))
	}
	return all
}

func bilingual(chinese, english string) map[string]string {
	return map[string]string{"zh-CN": chinese, "en": english}
}

// personas are the same on every machine: people write them down, and tests
// name them. Residents and the verifier are 20 to 59 until 2045, the elder is
// over 60.
func personas() []Persona {
	return []Persona{
		{
			Name: "resident-green", App: "resident",
			Title:  bilingual("市民（绿码）", "Resident (green)"),
			Try:    bilingual("亮码给核验人扫，再看看谁查看过我", "Show the code to the verifier, then see who looked at you"),
			Record: person.Record{Name: "张小三", Document: sample("19900312", 101), Phone: "15499990101", BirthDate: "1990-03-12"},
			Status: Status{Color: status.Green},
		},
		{
			Name: "resident-yellow", App: "resident",
			Title:  bilingual("市民（黄码）", "Resident (yellow)"),
			Try:    bilingual("看看为什么是黄码，再让核验人扫一次：需要人工核对", "See why the code is yellow, then let the verifier scan it: it asks for a second look"),
			Record: person.Record{Name: "李梅", Document: sample("19880620", 102), Phone: "15499990102", BirthDate: "1988-06-20"},
			Status: Status{Color: status.Yellow, Reason: "close_contact", Ago: 26 * time.Hour},
		},
		{
			Name: "resident-red", App: "resident",
			Title:  bilingual("市民（红码）", "Resident (red)"),
			Try:    bilingual("看看红码怎么显示、该怎么办；场所出入会劝阻", "See how a red code shows and what to do; a venue refuses it"),
			Record: person.Record{Name: "欧阳建明", Document: sample("19861105", 103), Phone: "15499990103", BirthDate: "1986-11-05"},
			Status: Status{Color: status.Red, Reason: "positive_test", Ago: 9 * time.Hour},
		},
		{
			Name: "elder", App: "resident",
			Title:  bilingual("老年人", "Elder"),
			Try:    bilingual("换成大字版，再亮一次码", "Switch to large type and show the code again"),
			Record: person.Record{Name: "王秀英", Document: sample("19480908", 104), Phone: "15499990104", BirthDate: "1948-09-08"},
			Status: Status{Color: status.Green},
		},
		{
			Name: "verifier", App: "verifier",
			Title:  bilingual("核验人", "Verifier"),
			Try:    bilingual("用另一部手机或另一个窗口扫市民的码；再换到“身份核对”看看多了什么", "Scan a resident's code from another phone or window; then change to the identity check and see what more it shows"),
			Record: person.Record{Name: "赵志国", Document: sample("19880217", 105), Phone: "15499996621", BirthDate: "1988-02-17"},
			Status: Status{Color: status.Green},
			Scenes: []scene.Name{"venue-entry", "id-check"},
		},
	}
}
