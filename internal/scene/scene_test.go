package scene

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/code"
)

func TestShippedScenesAdmitAsTheContractSays(t *testing.T) {
	b := Shipped()
	venue, ok := b.Get("venue-entry")
	if !ok {
		t.Fatal("venue-entry isn't shipped")
	}
	for color, want := range map[string]Admission{"green": Admit, "yellow": Check, "red": Refuse, "": Refuse, "blue": Refuse} {
		if got := venue.Admits(color); got != want {
			t.Errorf("venue-entry admits %q as %s, want %s", color, got, want)
		}
	}
	if diff := cmp.Diff([]Field{PersonName}, venue.Fields()); diff != "" {
		t.Errorf("venue-entry discloses (-want +got):\n%s", diff)
	}
	id, _ := b.Get("id-check")
	for _, color := range []string{"green", "yellow", "red", ""} {
		if got := id.Admits(color); got != Admit {
			t.Errorf("id-check admits %q as %s, want admit whatever the colour", color, got)
		}
	}
	if id.Scheme != "" || id.NeedsStepUp() || venue.NeedsStepUp() || id.SingleUse || venue.SingleUse {
		t.Error("shipped scenes: id-check shows no status; neither is single use or clear")
	}
	if !venue.Takes(code.KindLive) || !venue.Takes(code.KindPaper) {
		t.Error("a scene without kinds takes every kind")
	}
	if all := b.All(); len(all) != 2 || all[0].Name != "venue-entry" || all[1].Name != "id-check" {
		t.Errorf("shipped, in the file's order: %+v", all)
	}
}

func TestWrongScenesDoNotStart(t *testing.T) {
	good := `scenes:
  pool:
    title: {zh-CN: 泳池, en: Pool}
    discloses: {name: masked}
    status: health
    admission: {green: admit, yellow: check, red: refuse}
`
	if _, err := Parse(strings.NewReader(good)); err != nil {
		t.Fatalf("the good file: %v", err)
	}
	cases := map[string][2]string{
		"unknown key":               {"status: health", "status: health\n    colour: blue"},
		"unknown field":             {"{name: masked}", "{address: masked}"},
		"photo can't be masked":     {"{name: masked}", "{photo: masked}"},
		"a colour is left out":      {"yellow: check, ", ""},
		"any beside a colour":       {"yellow: check", "any: check"},
		"unknown admission":         {"red: refuse", "red: arrest"},
		"no English title":          {", en: Pool", ""},
		"unknown scheme":            {"status: health", "status: credit"},
		"colours without a status":  {"    status: health\n", ""},
		"bad name":                  {"pool:", "Pool Entry:"},
		"when_unsure can't admit":   {"status: health", "status: health\n    when_unsure: admit"},
		"staleness without a bound": {"status: health", "status: health\n    max_staleness: 240h"},
		"not YAML":                  {"scenes:", "scenes: ["},
		"no scenes":                 {good, "scenes: {}"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(strings.NewReader(strings.Replace(good, c[0], c[1], 1))); err == nil {
				t.Error("accepted")
			}
		})
	}
}
