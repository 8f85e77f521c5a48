package person

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/feed"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/keys"
	"github.com/citycode/citycode/internal/status"
)

// city is one process on a database.
type city struct {
	*Store
	status *status.Store
	feed   *feed.Reader
	keys   *keys.File
}

func now() time.Time { return time.Date(2026, 11, 22, 6, 3, 5, 0, time.UTC) }

// open starts a process with the key file, or with a new one when file is nil.
func open(t testing.TB, d *dbtest.Pair, file *keys.File) *city {
	t.Helper()
	if file == nil {
		var err error
		if file, err = keys.CreateFile(filepath.Join(t.TempDir(), "key")); err != nil {
			t.Fatal(err)
		}
	}
	keeper, err := keys.Open(t.Context(), keys.Config{DB: d.Main, File: file, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	node, err := commit.Open(t.Context(), commit.Config{DB: d.Main, Keys: keeper, Name: "test", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	c := &city{keys: file, feed: feed.NewReader(feed.Config{DB: d.Main, Now: now})}
	c.status = status.New(status.Config{DB: d.Main, Node: node, Feed: c.feed, Now: now})
	c.Store = New(Config{DB: d.Main, Keys: keeper, PersonKeys: keys.OpenPersonKeys(d.PersonKeys, file), Node: node, Status: c.status, Now: now, AllowSample: true})
	return c
}

// number is a resident's number of the sample region.
func number(birth string, sequence int) string {
	n := fmt.Sprintf("310000%s%03d", birth, sequence)
	return n + string(idnum.CheckDigit(n))
}

func resident(birth string, sequence int) idnum.Document {
	return idnum.Document{Kind: idnum.ResidentID, Number: number(birth, sequence)}
}

const header = "name,document_kind,document_number,phone,birth_date,photo\n"

// file writes an import file into a folder of its own.
func file(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// crowdDocument is the document of the i-th of a crowd.
func crowdDocument(i int) idnum.Document {
	return resident(fmt.Sprintf("%d0102", 1950+i/900), i%900)
}

// crowd is rows of n people.
func crowd(n int) string {
	var b strings.Builder
	b.WriteString(header)
	for i := range n {
		fmt.Fprintf(&b, "测试甲%c,resident_id,%s,154%08d,,\n", rune('一'+i%5000), crowdDocument(i).Number, i)
	}
	return b.String()
}

func (c *city) importFile(t testing.TB, path string) ImportReport {
	t.Helper()
	r, err := c.Import(t.Context(), path, ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.Seconds = 0
	return r
}
