// Package scene holds the purposes of scanning: what each discloses, whom it
// admits, and how sure it must be.
//
// A scene is configuration, not code: a city writes its own in YAML (see
// scenes.yaml for the two that are shipped). The server applies it; no client
// can ask for more than the scene gives. Minimum disclosure is therefore a
// property of this package and not of the pages.
//
// The package keeps no state and owns no tables.
package scene
