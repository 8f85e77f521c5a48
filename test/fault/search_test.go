package fault

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/citycode/citycode/internal/person"
)

// secret is something that must not stand anywhere in clear.
type secret struct {
	what string // whose what
	text string
	// short counts in UTF-8 only where it isn't part of a longer number: the
	// eight digits of a birth date turn up by chance in ids (of 18 digits),
	// moments (of 13) and sealed values in hexadecimal (of hundreds).
	short bool
}

// secretsOf are what there is to know of people.
func secretsOf(people []person.Record) []secret {
	var all []secret
	for i, p := range people {
		add := func(what, text string, short bool) {
			if text != "" {
				all = append(all, secret{fmt.Sprintf("%s of person %d", what, i), text, short})
			}
		}
		add("name", p.Name, false)
		add("number", p.Document.Number, false)
		if lower := strings.ToLower(p.Document.Number); lower != p.Document.Number {
			add("number in small letters", lower, false)
		}
		add("phone", p.Phone, false)
		add("birth date", p.BirthDate, false)
		add("birth date without dashes", strings.ReplaceAll(p.BirthDate, "-", ""), true)
	}
	return all
}

// encoding is how a text may lie in a file.
type encoding struct {
	name  string
	bytes func(string) []byte
	hex   bool
}

func utf8Bytes(s string) []byte { return []byte(s) }

func utf16Bytes(order binary.AppendByteOrder) func(string) []byte {
	return func(s string) []byte {
		var b []byte
		for _, u := range utf16.Encode([]rune(s)) {
			b = order.AppendUint16(b, u)
		}
		return b
	}
}

func inHex(of func(string) []byte) func(string) []byte {
	return func(s string) []byte { return hex.AppendEncode(nil, of(s)) }
}

// encodings are those that databases and systems write text in. Hexadecimal is
// how dumps write binary columns.
func encodings() []encoding {
	little, big := utf16Bytes(binary.LittleEndian), utf16Bytes(binary.BigEndian)
	return []encoding{
		{name: "UTF-8", bytes: utf8Bytes}, {name: "UTF-16LE", bytes: little}, {name: "UTF-16BE", bytes: big},
		{name: "UTF-8 in hexadecimal", bytes: inHex(utf8Bytes), hex: true}, {name: "UTF-16LE in hexadecimal", bytes: inHex(little), hex: true}, {name: "UTF-16BE in hexadecimal", bytes: inHex(big), hex: true},
	}
}

// shortest is how many bytes a pattern must have to mean something. A name of
// two characters has four in UTF-16: ten million bytes of sealed data hold a
// given one by chance with 10e6/2^32 = 0.2 %, so that of a hundred such names
// one would be "found" in every fourth run. They are looked for in UTF-8 (six
// bytes: once in 280,000 runs for a hundred names); the longer names, kept in
// the same columns, stand for them in UTF-16.
const shortest = 6

// searcher finds many patterns in one pass.
type searcher struct {
	patterns []pattern
	pairs    [1 << 16]bool    // first two bytes of any
	lengths  map[uint32][]int // of the patterns with these first four bytes
	texts    map[string][]int // patterns by their bytes
}

type pattern struct {
	secret
	encoding string
	bytes    []byte
}

func newSearcher(secrets []secret) *searcher {
	s := &searcher{lengths: make(map[uint32][]int), texts: make(map[string][]int)}
	for _, x := range secrets {
		for _, e := range encodings() {
			b := e.bytes(x.text)
			if size := len(b); size < shortest || e.hex && size/2 < shortest {
				continue
			}
			head := binary.BigEndian.Uint32(b)
			s.pairs[head>>16] = true
			if !slices.Contains(s.lengths[head], len(b)) {
				s.lengths[head] = append(s.lengths[head], len(b))
			}
			s.texts[string(b)] = append(s.texts[string(b)], len(s.patterns))
			s.patterns = append(s.patterns, pattern{x, e.name, b})
		}
	}
	return s
}

// search calls found for each pattern at each place.
func (s *searcher) search(data []byte, found func(p *pattern, at int)) {
	for i := 0; i+4 <= len(data); i++ {
		if !s.pairs[binary.BigEndian.Uint16(data[i:])] {
			continue
		}
		for _, length := range s.lengths[binary.BigEndian.Uint32(data[i:])] {
			end := i + length
			if end > len(data) {
				continue
			}
			for _, n := range s.texts[string(data[i:end])] {
				if p := &s.patterns[n]; !(p.short && p.encoding == "UTF-8" && inNumber(data, i, end)) {
					found(p, i)
				}
			}
		}
	}
}

// inNumber says whether data[from:to] lies in a run of 13 hexadecimal digits or
// more.
func inNumber(data []byte, from, to int) bool {
	const longest = 12
	digit := func(i int) bool {
		return i >= 0 && i < len(data) && (data[i] >= '0' && data[i] <= '9' || data[i] >= 'a' && data[i] <= 'f')
	}
	for digit(from-1) && to-from <= longest {
		from--
	}
	for digit(to) && to-from <= longest {
		to++
	}
	return to-from > longest
}

// finds says whose data is where; it stops at some.
func (s *searcher) finds(where string, data []byte) []string {
	var all []string
	s.search(data, func(p *pattern, at int) {
		if len(all) < 20 {
			all = append(all, fmt.Sprintf("%s at byte %d: %s in %s", where, at, p.what, p.encoding))
		}
	})
	return all
}

// folders reads every file under the folders; the sum of their sizes is told.
func (s *searcher) folders(t *testing.T, when string, folders ...string) (files int, size int64) {
	t.Helper()
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || err == nil && !entry.Type().IsRegular() {
				return nil
			}
			if err != nil {
				return err
			}
			data, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil // of a process at work
			}
			files, size = files+1, size+int64(len(data))
			for _, f := range s.finds(path, data) {
				t.Errorf("%s: %s", when, f)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files, size
}

// missing lists patterns of the encodings that the data doesn't hold.
func (s *searcher) missing(data [][]byte, encodings ...string) []string {
	seen := make(map[*pattern]bool)
	for _, d := range data {
		s.search(d, func(p *pattern, _ int) { seen[p] = true })
	}
	var all []string
	for i := range s.patterns {
		p := &s.patterns[i]
		for _, e := range encodings {
			if p.encoding == e && !seen[p] {
				all = append(all, p.what+" in "+e)
			}
		}
	}
	return all
}
