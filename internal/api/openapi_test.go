package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/citycode/citycode/internal/scene"
)

var update = flag.Bool("update", false, "write the golden files")

func document(t *testing.T) []byte {
	t.Helper()
	a := New(Config{Version: "1", Scenes: scene.Shipped(), Demo: &Demo{}})
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(a.OpenAPI()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTheDocumentIsTheGoldenOne(t *testing.T) {
	got := document(t)
	file := filepath.Join("testdata", "openapi.json")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the document changed; if that is meant, run make generate (-want +got):\n%s", diff)
	}
}

// TestEveryOperationSaysWhoMayCallIt keeps the list of what strangers may call
// in view: an operation that opens itself shows up here.
func TestEveryOperationSaysWhoMayCallIt(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]struct {
			Caller   string                `json:"x-caller"`
			Security []map[string][]string `json:"security"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(document(t), &doc); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for path, ops := range doc.Paths {
		for method, op := range ops {
			got[method+" "+path] = op.Caller
			if (op.Caller == "anyone") != (len(op.Security) == 0) {
				t.Errorf("%s %s: caller %q with security %v", method, path, op.Caller, op.Security)
			}
		}
	}
	want := map[string]string{
		"get /v1/city": "anyone", "get /v1/time": "anyone", "get /v1/scenes": "anyone",
		"get /v1/demo/personas": "anyone", "post /v1/demo/sessions": "anyone",
		"post /v1/sessions/refresh": "anyone", "delete /v1/sessions/current": "signed-in",
		"post /v1/codes": "resident",
		"get /v1/me":     "signed-in", "get /v1/me/status": "resident", "get /v1/me/status/events": "resident", "get /v1/me/looks": "resident",
		"post /v1/verifications": "verifier", "get /v1/verifications": "verifier", "get /v1/verifications/counts": "verifier",
		"get /v1/verifications/{id}": "verifier", "get /v1/verifications/{id}/photo": "verifier",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
