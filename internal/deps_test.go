// Package internal_test holds the rules of the house that need the whole tree.
package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/citycode/citycode/"

// A room is a package of the house: which tier it is on, which rooms of its own
// tier or above it may use, and which modules from outside.
type room struct {
	tier    int
	rooms   map[string]string // beside all rooms of lower tiers: which, and why
	outside []string          // module paths, by prefix
}

// On tiers 1 and 2 a room may use any room of a lower tier; a capability (tier
// 3) too; the interface (4) uses what is listed; the top (5) uses everything.
var rooms = map[string]room{
	"code":           {tier: 0, outside: []string{"github.com/emmansun/gmsm"}},
	"internal/sm":    {tier: 0, outside: []string{"github.com/emmansun/gmsm"}},
	"internal/fault": {tier: 0},
	"internal/idnum": {tier: 0, rooms: map[string]string{"internal/fault": "a wrong number is an error that people read"},
		outside: []string{"golang.org/x/text"}},

	"internal/db":      {tier: 1, outside: []string{"modernc.org/sqlite", "github.com/jackc/pgx"}},
	"internal/limit":   {tier: 1, outside: []string{"golang.org/x/time"}},
	"internal/tabular": {tier: 1, outside: []string{"golang.org/x/text"}},

	"internal/keys":  {tier: 2},
	"internal/feed":  {tier: 2},
	"internal/audit": {tier: 2, rooms: map[string]string{"internal/keys": "checkpoints are signed and checked with the audit ring"}},
	"internal/commit": {tier: 2, rooms: map[string]string{
		"internal/audit": "one process start is one audit chain",
		"internal/feed":  "and one change stream",
		"internal/keys":  "its checkpoints are signed"}},

	"internal/intake": {tier: 3},
	"internal/status": {tier: 3, rooms: map[string]string{"internal/intake": "statuses come in files"}},
	"internal/scene":  {tier: 3, outside: []string{"go.yaml.in/yaml"}},
	"internal/person": {tier: 3, rooms: map[string]string{
		"internal/intake": "people come in files",
		"internal/status": "a person begins with the scheme's default colour, in the same transaction"}},
	"internal/mint": {tier: 3},
	"internal/session": {tier: 3, rooms: map[string]string{
		"internal/person": "a token carries the masked name of its holder",
		"internal/scene":  "a verifier's grant names scenes"}},
	"internal/scan": {tier: 3, rooms: map[string]string{
		"internal/scene":  "a scan records its scene, admission and what was disclosed",
		"internal/status": "and the colour that was shown"}},
	"internal/verify": {tier: 3, rooms: map[string]string{
		"internal/person":  "the subject that the scene discloses",
		"internal/scan":    "an answer leaves after its record is durable",
		"internal/scene":   "admission and disclosure",
		"internal/session": "the checker's grant is looked at before the text",
		"internal/status":  "the holder's colour"}},

	"internal/api": {tier: 4, rooms: map[string]string{
		"internal/mint": "", "internal/person": "", "internal/scan": "", "internal/scene": "", "internal/session": "", "internal/status": "", "internal/verify": ""},
		outside: []string{"github.com/danielgtaylor/huma", "github.com/google/uuid", "golang.org/x/text"}},
}

// apart is what the interface may not reach although it lies on a lower tier:
// it opens capabilities, and they own the data.
var apart = map[string][]string{
	"internal/api": {"internal/db", "internal/keys", "internal/audit", "internal/feed", "internal/commit", "internal/tabular", "internal/sm"},
}

// top rooms wire everything together.
var top = []string{"cmd/", "internal/server", "internal/demo", "web", "test/", "internal/db/dbtest", "internal/idnum/gen"}

// clients are the files that may use net/http outside api and server: outgoing
// clients behind an interface. There are none yet.
var drivers = []string{"modernc.org/sqlite", "github.com/jackc/pgx", "database/sql"}

type listed struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			t.Fatalf("go list: %v\n%s", err, ee.Stderr)
		}
		t.Fatal(err)
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func isTop(name string) bool {
	for _, p := range top {
		if name == strings.TrimSuffix(p, "/") || strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// refusal says why the room may not import the path; "" when it may.
func refusal(name string, imported string) string {
	r := rooms[name]
	if other, ours := strings.CutPrefix(imported, module); ours {
		o, known := rooms[other]
		if !known {
			return "is no room below it"
		}
		for _, a := range apart[name] {
			if a == other {
				return "must stay apart from it"
			}
		}
		if _, listed := r.rooms[other]; listed || o.tier < min(r.tier, 3) {
			return ""
		}
		return "isn't listed for it"
	}
	for _, d := range drivers {
		if strings.HasPrefix(imported, d) && name != "internal/db" {
			return "is a database driver: only internal/db may"
		}
	}
	if imported == "net/http" && r.tier < 4 {
		return "is for internal/api and outgoing clients"
	}
	if !strings.Contains(strings.SplitN(imported, "/", 2)[0], ".") {
		return "" // standard library
	}
	for _, o := range r.outside {
		if strings.HasPrefix(imported, o) {
			return ""
		}
	}
	return "is a module that isn't listed for it"
}

func TestDepsOfEveryRoomAreListed(t *testing.T) {
	for _, p := range list(t) {
		name, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours || isTop(name) || name == "internal" {
			continue
		}
		if _, ok := rooms[name]; !ok {
			t.Errorf("%s is a new room: say its tier in deps_test.go", name)
			continue
		}
		for _, i := range p.Imports {
			if why := refusal(name, i); why != "" {
				t.Errorf("%s imports %s, which %s", name, strings.TrimPrefix(i, module), why)
			}
		}
	}
}

func TestDepsRulesRefuseWhatTheyShould(t *testing.T) {
	for _, c := range []struct{ room, imported string }{
		{"internal/mint", "github.com/jackc/pgx/v5"},
		{"internal/scan", "database/sql"},
		{"internal/mint", module + "internal/person"},
		{"internal/person", module + "internal/session"},
		{"internal/api", module + "internal/db"},
		{"internal/keys", module + "internal/audit"},
		{"internal/db", module + "internal/keys"},
		{"internal/verify", "net/http"},
		{"code", module + "internal/sm"},
		{"internal/limit", "github.com/emmansun/gmsm/sm4"},
	} {
		if refusal(c.room, c.imported) == "" {
			t.Errorf("%s may import %s", c.room, c.imported)
		}
	}
}
