// Package web carries the built pages inside the binary.
//
// The pages are built by npm in this folder (npm ci && npm run build) into
// dist, which is not kept in version control: a clone without Node still
// compiles, and Built then answers false, so that the server can say how to
// build them.
//
// Layout of the files, each app's page at its own address:
//
//	index.html         /         home
//	app/index.html     /app/     the resident's app
//	verify/index.html  /verify/  the verifier's app
//	docs/index.html    /docs     the API reference
//	assets/…           /assets/… scripts, styles, pictures: names hold a digest of
//	                             the content, so they may be cached for ever
//
// Pages route by the address's fragment, so no other path needs an HTML
// answer: a missing file is 404, never a page.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// FS returns the built pages, rooted so that names read as in the package comment.
func FS() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // only an invalid path fails, and this one is constant
	}
	return sub
}

// Built reports whether the pages were built before this binary was compiled.
func Built() bool {
	_, err := fs.Stat(dist, "dist/index.html")
	return err == nil
}
