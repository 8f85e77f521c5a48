package tabular

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Rejects is the file of rows that an import did not take, in the format of
// the input: the row's number and the reason first, then the record as it was,
// so that people can mend the file and hand it in again. It holds personal data
// and is readable by its owner only (mode 0600).
//
// It always is the file of the last run: rows gather in a file beside it, which
// takes its place on Close; a run without rejects removes it.
type Rejects struct {
	path  string
	file  *os.File
	out   *bufio.Writer
	csv   *csv.Writer // nil for NDJSON
	count int
}

// RejectsPath is where the rejects of an input go unless told otherwise:
// people.csv → people.rejects.csv.
func RejectsPath(input string) string {
	ext := filepath.Ext(input)
	return strings.TrimSuffix(input, ext) + ".rejects" + ext
}

// NewRejects makes the file for the rows of f; an empty path stands for
// RejectsPath. It fails at once where no file can be written, before anything
// has been imported.
func (f *File) NewRejects(path string) (*Rejects, error) {
	if path == "" {
		path = RejectsPath(f.path)
	}
	if same(path, f.path) {
		return nil, fmt.Errorf("rejects would overwrite the input")
	}
	partial := path + ".partial"
	// Left behind by a run that was killed. Removed instead of truncated: what
	// lies there could be a link, or readable by others.
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("rejects: %w", err)
	}
	file, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("rejects: %w", err)
	}
	r := &Rejects{path: path, file: file, out: bufio.NewWriter(file)}
	if f.format == CSV {
		if f.encoding == GB18030 || f.marked {
			// Spreadsheets take a CSV file for UTF-8 only with the mark.
			r.out.Write(markUTF8)
		}
		r.csv = csv.NewWriter(r.out)
		r.csv.Comma = rune(f.comma)
		r.csv.Write(append([]string{"row", "reason"}, f.header...))
	}
	return r, nil
}

func same(a, b string) bool {
	x, err1 := filepath.Abs(a)
	y, err2 := filepath.Abs(b)
	return err1 == nil && err2 == nil && x == y
}

// Add records a row and the code of why it was refused. Errors of writing show
// on Close.
func (r *Rejects) Add(row Row, reason string) {
	r.count++
	if r.csv == nil {
		r.addObject(row, reason)
		return
	}
	cells := make([]string, 0, 2+len(row.cells))
	cells = append(cells, strconv.Itoa(row.Number), reason)
	for _, c := range row.cells {
		cells = append(cells, harmless(c))
	}
	r.csv.Write(cells)
}

func (r *Rejects) addObject(row Row, reason string) {
	fmt.Fprintf(r.out, `{"row":%d,"reason":%q`, row.Number, reason)
	text := strings.TrimSpace(row.line)
	if json.Valid([]byte(text)) && strings.HasPrefix(text, "{") {
		if inner := strings.TrimSpace(text[1:]); inner != "}" {
			r.out.WriteByte(',')
		}
		r.out.WriteString(strings.TrimSpace(text[1:]))
	} else {
		quoted, _ := json.Marshal(text)
		fmt.Fprintf(r.out, `,"line":%s}`, quoted)
	}
	r.out.WriteByte('\n')
}

// harmless keeps spreadsheets from running a cell as a formula: they do so with
// what starts with = @ + -, and the file holds what a stranger may have typed.
// A phone number keeps its plus sign.
func harmless(cell string) string {
	t := strings.TrimLeft(cell, " \t\r\n")
	if t == "" {
		return cell
	}
	switch t[0] {
	case '=', '@':
		return "'" + cell
	case '+', '-':
		if strings.Trim(t[1:], "0123456789 -") != "" {
			return "'" + cell
		}
	}
	return cell
}

// Count is the number of rows added.
func (r *Rejects) Count() int { return r.count }

// Path is where the file lies after Close, or "" when no row was refused.
func (r *Rejects) Path() string {
	if r.count == 0 {
		return ""
	}
	return r.path
}

// Close brings the file to disk and to its place.
func (r *Rejects) Close() error {
	if r.csv != nil {
		r.csv.Flush()
	}
	err := errors.Join(r.out.Flush(), r.file.Sync(), r.file.Close())
	if err != nil {
		return fmt.Errorf("rejects: %w", err)
	}
	if r.count == 0 {
		os.Remove(r.file.Name())
		if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rejects of an earlier run: %w", err)
		}
		return nil
	}
	if err := os.Rename(r.file.Name(), r.path); err != nil {
		return fmt.Errorf("rejects: %w", err)
	}
	return nil
}
