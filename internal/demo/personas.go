package demo

import (
	"fmt"
	"time"

	"github.com/citycode/citycode/internal/idnum"
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

// Find returns the persona with the name.
func Find(name string) (Persona, bool) {
	for _, p := range Personas() {
		if p.Name == name {
			return p, true
		}
	}
	return Persona{}, false
}

func sample(birth string, n int) idnum.Document {
	first := fmt.Sprintf("310000%s%03d", birth, n)
	return idnum.Document{Kind: idnum.ResidentID, Number: first + string(idnum.CheckDigit(first))}
}

// Personas lists them in the order of the home page.
func Personas() []Persona {
	return []Persona{
		{Name: "resident-green", App: "resident", Title: map[string]string{"zh-CN": "市民（绿码）", "en": "Resident (green)"},
			Try:    map[string]string{"zh-CN": "亮码给核验人扫，再看看谁查看过我", "en": "Show the code to the verifier, then see who looked at you"},
			Record: person.Record{Name: "张小三", Document: sample("19900312", 101), Phone: "19900000101", BirthDate: "1990-03-12"}, Status: Status{Color: status.Green}},
		{Name: "resident-yellow", App: "resident", Title: map[string]string{"zh-CN": "市民（黄码）", "en": "Resident (yellow)"},
			Try:    map[string]string{"zh-CN": "看看为什么是黄码", "en": "See why the code is yellow"},
			Record: person.Record{Name: "李梅", Document: sample("19850620", 102), Phone: "19900000102", BirthDate: "1985-06-20"}, Status: Status{Color: status.Yellow, Reason: "close_contact", Ago: 26 * time.Hour}},
		{Name: "resident-red", App: "resident", Title: map[string]string{"zh-CN": "市民（红码）", "en": "Resident (red)"},
			Try:    map[string]string{"zh-CN": "看看红码怎么显示、怎么办", "en": "See how a red code shows and what to do"},
			Record: person.Record{Name: "欧阳建明", Document: sample("19781105", 103), Phone: "19900000103", BirthDate: "1978-11-05"}, Status: Status{Color: status.Red, Reason: "positive_test", Ago: 9 * time.Hour}},
		{Name: "elder", App: "resident", Title: map[string]string{"zh-CN": "老年人", "en": "Elder"},
			Try:    map[string]string{"zh-CN": "打开大字版亮码", "en": "Show a code in large type"},
			Record: person.Record{Name: "王秀英", Document: sample("19480908", 104), Phone: "19900000104", BirthDate: "1948-09-08"}, Status: Status{Color: status.Green}},
		{Name: "verifier", App: "verifier", Title: map[string]string{"zh-CN": "核验人", "en": "Verifier"},
			Try:    map[string]string{"zh-CN": "用另一部手机或窗口扫市民的码", "en": "Scan a resident's code from another phone or window"},
			Record: person.Record{Name: "赵志国", Document: sample("19880217", 105), Phone: "19900006621", BirthDate: "1988-02-17"}, Status: Status{Color: status.Green},
			Scenes: []scene.Name{"venue-entry", "id-check"}},
	}
}
