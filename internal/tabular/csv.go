package tabular

import (
	"errors"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/citycode/citycode/internal/fault"
)

// readHeader takes the first line that isn't empty for the column names. Its
// errors don't repeat names unless enough are known for the line to be a
// header: without one, it would be somebody's record.
func (f *File) readHeader(columns []Column) error {
	var l line
	for strings.TrimSpace(l.text) == "" {
		var err error
		if l, err = f.lines.next(); errors.Is(err, io.EOF) {
			return fault.New(fault.Invalid, "empty_file", "the file has no line with column names")
		} else if err != nil {
			return err
		}
		if l.problem != "" {
			return fault.New(fault.Invalid, "missing_column", "the line with column names can't be read (%s)", l.problem)
		}
	}
	f.comma = separator(l.text)
	cells, state := splitRecord(l.text, f.comma)
	if state != whole {
		return fault.New(fault.Invalid, "missing_column", "the quotes in the line with column names don't match")
	}
	if len(cells) > MaxColumns {
		return fault.New(fault.Invalid, "too_many_columns", "%d columns, at most %d are read", len(cells), MaxColumns)
	}
	f.header, f.names = cells, make([]string, len(cells))
	at := make(map[string]int)
	for i, c := range cells {
		name, known := f.columns[canonical(c)]
		if !known && len(f.columns) == 0 {
			name = canonical(c)
		}
		if name == "" {
			continue
		}
		if other, twice := at[name]; twice {
			return fault.New(fault.Invalid, "duplicate_column", "columns %d and %d are both %q", other+1, i+1, name)
		}
		at[name] = i
		f.names[i] = name
	}
	var missing []string
	for _, c := range columns {
		if _, ok := at[c.Name]; c.Required && !ok {
			missing = append(missing, c.Name)
		}
	}
	if len(missing) > 0 {
		return fault.New(fault.Invalid, "missing_column", "line %d must name the columns: %s missing, %d of %d known",
			l.number, strings.Join(missing, ", "), len(at), len(cells))
	}
	return nil
}

// separator is the sign that parts the columns: a comma unless the header has
// none and another common one.
func separator(header string) byte {
	for _, c := range []byte{',', '\t', ';'} {
		if strings.IndexByte(header, c) >= 0 {
			return c
		}
	}
	return ','
}

// canonical is the spelling under which column names are compared.
func canonical(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || unicode.IsSpace(r) {
			return '_'
		}
		return unicode.ToLower(r)
	}, trim(s))
}

// trim takes spaces of every kind and stray byte order marks from both ends,
// and composes letters with their accents: a name typed on one system compares
// equal to the same typed on another.
func trim(s string) string {
	return norm.NFC.String(strings.TrimFunc(s, func(r rune) bool {
		return r == '\ufeff' || r == '\u200b' || unicode.IsSpace(r)
	}))
}

// Has tells whether the file has the column. Of NDJSON this can't be known, and
// Has says yes.
func (f *File) Has(name string) bool {
	if f.format == NDJSON {
		return true
	}
	for _, n := range f.names {
		if n == name {
			return true
		}
	}
	return false
}

// longestRecord bounds the lines that one record with quoted line ends may
// take, so that a quote nobody closed costs little.
const longestRecord = 100

// record reads the CSV record that starts with l.
func (f *File) record(l line) (Row, error) {
	row := Row{Number: l.number}
	text, taken := l.text, []line{}
	cells, state := splitRecord(text, f.comma)
	for state == unclosed && !l.open && len(taken) < longestRecord && len(text) < MaxLine {
		next, err := f.nextLine()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Row{}, err
		}
		taken = append(taken, next)
		if next.problem != "" {
			break
		}
		text += "\n" + next.text
		cells, state = splitRecord(text, f.comma)
		l.open, l.cut = next.open, next.cut
	}
	if state == whole {
		return f.row(row, cells, l), nil
	}
	// The lines after the broken one may be good: they are read again.
	f.ahead = append(taken, f.ahead...)
	row.Problem = "bad_quotes"
	if l.open && len(taken) == 0 {
		row.Problem = "cut_line"
	}
	row.cells, _ = splitRecord(strings.ReplaceAll(firstLine(text), `"`, ""), f.comma)
	return row, nil
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// row gives the cells their names.
func (f *File) row(row Row, cells []string, l line) Row {
	row.cells = cells
	switch {
	case l.cut, l.open && len(cells) < len(f.names):
		row.Problem = "cut_line"
	case len(cells) < len(f.names):
		row.Problem = "too_few_columns"
	case len(cells) > len(f.names) && strings.TrimSpace(strings.Join(cells[len(f.names):], "")) != "":
		row.Problem = "too_many_columns"
	}
	if row.Problem != "" {
		return row
	}
	row.Fields = make(map[string]string, len(f.names))
	for i, name := range f.names {
		if name != "" {
			row.Fields[name] = trim(cells[i])
		}
	}
	return row
}

// state of a record after splitting.
type state uint8

const (
	whole state = iota
	unclosed
	broken // a quote within an unquoted cell, or text after a closing quote
)

// splitRecord splits by RFC 4180. Spaces around quotes are forgiven: they come
// from programs that put one after each comma.
func splitRecord(text string, comma byte) ([]string, state) {
	var cells []string
	for {
		rest := strings.TrimLeft(text, " ")
		if !strings.HasPrefix(rest, `"`) {
			cell, after, more := strings.Cut(text, string(comma))
			if strings.Contains(cell, `"`) {
				return cells, broken
			}
			cells = append(cells, cell)
			if !more {
				return cells, whole
			}
			text = after
			continue
		}
		cell, after, closed := quoted(rest[1:])
		if !closed {
			return cells, unclosed
		}
		cells = append(cells, cell)
		after = strings.TrimLeft(after, " ")
		if after == "" {
			return cells, whole
		}
		if after[0] != comma {
			return cells, broken
		}
		text = after[1:]
	}
}

// quoted reads up to the closing quote; two quotes stand for one.
func quoted(s string) (cell, after string, closed bool) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			return "", "", false
		}
		b.WriteString(s[:i])
		if i+1 < len(s) && s[i+1] == '"' {
			b.WriteByte('"')
			s = s[i+2:]
			continue
		}
		return b.String(), s[i+1:], true
	}
}
