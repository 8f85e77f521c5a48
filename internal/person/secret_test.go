package person

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
)

// spellings are the byte forms in which a text could lie in a file.
func spellings(text string) map[string][]byte {
	units := utf16.Encode([]rune(text))
	forms := map[string][]byte{"UTF-8": []byte(text)}
	for _, u := range units {
		forms["UTF-16LE"] = binary.LittleEndian.AppendUint16(forms["UTF-16LE"], u)
		forms["UTF-16BE"] = binary.BigEndian.AppendUint16(forms["UTF-16BE"], u)
	}
	return forms
}

// found counts by spelling which of the texts lie anywhere in the folder.
func found(t *testing.T, dir string, texts []string) map[string]int {
	t.Helper()
	var all [][]byte
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all = append(all, b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	everything := bytes.Join(all, []byte{0})
	hits := make(map[string]int)
	for _, text := range texts {
		for form, b := range spellings(text) {
			if bytes.Contains(everything, b) {
				hits[form]++
			}
		}
	}
	return hits
}

func TestNoFileOfTheDataFolderShowsAPerson(t *testing.T) {
	const people = 200
	// Four characters a name: two would be found by chance in a megabyte of
	// sealed bytes.
	var texts []string
	var records []details
	rows := strings.Split(strings.TrimSpace(crowd(people)), "\n")[1:]
	for _, row := range rows {
		cells := strings.Split(row, ",")
		d := details{Name: cells[0], Number: cells[2], Phone: cells[3], BirthDate: cells[2][6:10] + "-" + cells[2][10:12] + "-" + cells[2][12:14]}
		records = append(records, d)
		texts = append(texts, d.Name, d.Number, d.Phone)
	}
	texts = append(texts, records[0].BirthDate, records[people-1].BirthDate, strings.ReplaceAll(records[0].BirthDate, "-", ""))

	// The search finds what isn't sealed: in a database, and in UTF-16.
	open1 := dbtest.Open(t, db.SQLite)
	err := open1.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
		for i, d := range records {
			plain, err := json.Marshal(d)
			if err != nil {
				return err
			}
			err = writePeople(ctx, q, []row{{id: int64(i + 1), documentKind: "resident_id", sealed: plain, content: []byte{}}})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if hits := found(t, open1.Dir, texts); hits["UTF-8"] != len(texts) {
		t.Fatalf("found %v of %d texts in an unsealed database", hits, len(texts))
	}
	dir := t.TempDir()
	for _, form := range []string{"UTF-16LE", "UTF-16BE"} {
		if err := os.WriteFile(filepath.Join(dir, form), spellings(strings.Join(texts, ","))[form], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if hits := found(t, dir, texts); hits["UTF-16LE"] != len(texts) || hits["UTF-16BE"] != len(texts) {
		t.Fatalf("found %v of %d texts in UTF-16", hits, len(texts))
	}

	// And finds nothing where people were imported, changed, and read.
	d := dbtest.Open(t, db.SQLite)
	c := open(t, d, nil)
	if r := c.importFile(t, file(t, crowd(people))); r.Created != people {
		t.Fatalf("%+v", r)
	}
	c.importFile(t, file(t, strings.ReplaceAll(crowd(people), ",154", ",153")))
	if err := c.status.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	id, err := c.Find(t.Context(), crowdDocument(3))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(d.Dir, "citycode.db-wal")); err != nil {
		t.Fatalf("the log that is to be searched: %v", err)
	}
	if hits := found(t, d.Dir, texts); len(hits) != 0 {
		t.Errorf("found %v", hits)
	}
}
