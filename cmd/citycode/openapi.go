package main

import (
	"encoding/json"

	"github.com/citycode/citycode/internal/api"
	"github.com/citycode/citycode/internal/scene"
)

type openapiCmd struct{}

// Run prints the document with the demo's operations: it describes all that a
// server can have, and needs no data.
func (openapiCmd) Run(r *run) error {
	a := api.New(api.Config{Version: "1", Scenes: scene.Shipped(), Demo: &api.Demo{}})
	e := json.NewEncoder(r.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(a.OpenAPI())
}
