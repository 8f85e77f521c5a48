package scene

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/citycode/citycode/code"
)

// Name identifies a scene: lower-case words joined by hyphens.
type Name string

// Admission is what the checker is told to do.
type Admission string

// The admissions, from open to closed.
const (
	Admit  Admission = "admit"
	Check  Admission = "check"
	Refuse Admission = "refuse"
)

// Field is a part of a person that a scene may disclose.
type Field string

// The fields, in the order in which they are recorded and shown.
const (
	PersonName     Field = "name"
	DocumentNumber Field = "document_number"
	Phone          Field = "phone"
	Photo          Field = "photo"
)

// Level says how much of a field is disclosed.
type Level string

// Masked hides the middle, Clear shows a text field whole, Shown is for photos.
const (
	Masked Level = "masked"
	Clear  Level = "clear"
	Shown  Level = "shown"
)

// Scene is one purpose of scanning.
type Scene struct {
	Name      Name                 `yaml:"-"`
	Title     map[string]string    `yaml:"title"`   // by language: zh-CN and en
	Purpose   map[string]string    `yaml:"purpose"` // by language
	Discloses map[Field]Level      `yaml:"discloses"`
	Scheme    string               `yaml:"status"`    // "" shows no status
	Admission map[string]Admission `yaml:"admission"` // by colour, or "any"
	SingleUse bool                 `yaml:"single_use"`
	// MaxStaleness bounds the age of a status that still counts (default 10 min).
	MaxStaleness time.Duration `yaml:"max_staleness"`
	WhenUnsure   Admission     `yaml:"when_unsure"`
	Kinds        []string      `yaml:"kinds"` // kinds of code taken; empty: all
}

// Takes reports whether codes of the kind are accepted in this scene.
func (s Scene) Takes(k code.Kind) bool {
	return len(s.Kinds) == 0 || slices.Contains(s.Kinds, k.String())
}

// Admits returns the admission of a valid code whose holder has the colour.
// A colour the scene doesn't name refuses.
func (s Scene) Admits(color string) Admission {
	if a, ok := s.Admission["any"]; ok {
		return a
	}
	if a, ok := s.Admission[color]; ok {
		return a
	}
	return Refuse
}

// NeedsStepUp reports whether the scene discloses a clear field, for which the
// checker must have proven their presence a moment ago.
func (s Scene) NeedsStepUp() bool {
	for _, l := range s.Discloses {
		if l == Clear {
			return true
		}
	}
	return false
}

// Fields lists what the scene discloses, in a fixed order.
func (s Scene) Fields() []Field {
	var out []Field
	for _, f := range []Field{PersonName, DocumentNumber, Phone, Photo} {
		if _, ok := s.Discloses[f]; ok {
			out = append(out, f)
		}
	}
	return out
}

// Book is the set of scenes in force.
type Book struct {
	byName map[Name]Scene
	names  []Name
}

//go:embed scenes.yaml
var shipped []byte

// Shipped returns the scenes that come with citycode.
func Shipped() Book {
	b, err := Parse(bytes.NewReader(shipped))
	if err != nil {
		panic("scene: the shipped scenes are wrong: " + err.Error())
	}
	return b
}

// Get finds a scene by name.
func (b Book) Get(n Name) (Scene, bool) {
	s, ok := b.byName[n]
	return s, ok
}

// All returns the scenes in the order of the file: the first is the one that
// pages offer first.
func (b Book) All() []Scene {
	out := make([]Scene, len(b.names))
	for i, n := range b.names {
		out[i] = b.byName[n]
	}
	return out
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// Parse reads scenes from YAML. Unknown keys, unknown words, a scene without
// texts or without an admission for every colour are errors: a scene that is
// wrong must not start.
func Parse(r io.Reader) (Book, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile))
	if err != nil {
		return Book{}, fmt.Errorf("scenes: %w", err)
	}
	var file struct {
		Scenes map[Name]Scene `yaml:"scenes"`
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		return Book{}, fmt.Errorf("scenes: %w", err)
	}
	var order struct {
		Scenes yaml.Node `yaml:"scenes"`
	}
	if err := yaml.Unmarshal(text, &order); err != nil {
		return Book{}, fmt.Errorf("scenes: %w", err)
	}
	if len(file.Scenes) == 0 {
		return Book{}, errors.New("scenes: none are defined")
	}
	b := Book{byName: make(map[Name]Scene, len(file.Scenes))}
	for n, s := range file.Scenes {
		s.Name = n
		if s.MaxStaleness == 0 {
			s.MaxStaleness = 10 * time.Minute
		}
		if s.WhenUnsure == "" {
			s.WhenUnsure = Check
		}
		if err := s.check(); err != nil {
			return Book{}, fmt.Errorf("scene %q: %w", n, err)
		}
		b.byName[n] = s
	}
	for i := 0; i+1 < len(order.Scenes.Content); i += 2 { // key, value, key, value, …
		b.names = append(b.names, Name(order.Scenes.Content[i].Value))
	}
	return b, nil
}

// maxFile bounds a file of scenes.
const maxFile = 1 << 20

func (s Scene) check() error {
	if len(s.Name) > 40 || !nameForm.MatchString(string(s.Name)) {
		return errors.New("a name is lower-case words joined by hyphens, 40 characters at most")
	}
	for _, lang := range []string{"zh-CN", "en"} {
		if s.Title[lang] == "" {
			return fmt.Errorf("title has no %s text", lang)
		}
	}
	for f, l := range s.Discloses {
		switch {
		case f == Photo && l == Shown:
		case (f == PersonName || f == DocumentNumber || f == Phone) && (l == Masked || l == Clear):
		default:
			return fmt.Errorf("discloses %s: %s isn't known (name, document_number, phone: masked or clear; photo: shown)", f, l)
		}
	}
	if s.Scheme != "" && s.Scheme != "health" {
		return fmt.Errorf("status %q isn't a scheme of this release (health)", s.Scheme)
	}
	for color, a := range s.Admission {
		if color != "any" && color != "green" && color != "yellow" && color != "red" {
			return fmt.Errorf("admission for %q: green, yellow, red or any", color)
		}
		if a != Admit && a != Check && a != Refuse {
			return fmt.Errorf("admission %q: admit, check or refuse", a)
		}
	}
	if _, every := s.Admission["any"]; every {
		if len(s.Admission) > 1 {
			return errors.New("admission: any stands alone")
		}
	} else {
		for _, color := range []string{"green", "yellow", "red"} {
			if _, ok := s.Admission[color]; !ok {
				return fmt.Errorf("admission has nothing for %s", color)
			}
		}
		if s.Scheme == "" {
			return errors.New("admission by colour needs a status")
		}
	}
	if s.WhenUnsure != Check && s.WhenUnsure != Refuse {
		return fmt.Errorf("when_unsure %q: check or refuse", s.WhenUnsure)
	}
	if s.MaxStaleness < time.Second || s.MaxStaleness > 24*time.Hour {
		return errors.New("max_staleness: 1s to 24h")
	}
	for _, k := range s.Kinds {
		if k != code.KindLive.String() && k != code.KindRelative.String() && k != code.KindPaper.String() {
			return fmt.Errorf("kinds: %q isn't live, relative or paper", k)
		}
	}
	return nil
}
