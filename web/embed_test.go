package web

import (
	"io/fs"
	"testing"
)

func TestBuiltPagesLieAtTheirAddresses(t *testing.T) {
	if !Built() {
		t.Skip("pages not built: npm ci && npm run build in web")
	}
	for _, name := range []string{"index.html", "app/index.html", "verify/index.html", "docs/index.html"} {
		if _, err := fs.Stat(FS(), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
