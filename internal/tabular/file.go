package tabular

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/sm"
)

// Limits of one record.
const (
	MaxLine    = 64 << 10 // bytes, line end included
	MaxColumns = 200
)

// Format is how records are laid out.
type Format string

// The formats.
const (
	CSV    Format = "CSV"
	NDJSON Format = "NDJSON"
)

// Column is one that the caller knows.
type Column struct {
	Name     string   // as it appears in Row.Fields
	Aliases  []string // other headings for it, e.g. "姓名"
	Required bool     // a CSV file without it is refused; an NDJSON row may lack it
}

// Row is one record.
type Row struct {
	Number int // the line it starts on; the first line of a file is 1
	// Fields by canonical name, without spaces around; a column that the file
	// doesn't have is absent. Nil when there is a Problem.
	Fields map[string]string
	// Problem is the stable code of what makes the row unreadable, or "":
	// line_too_long, too_many_columns, too_few_columns, bad_quotes, bad_text,
	// bad_json, not_flat, duplicate_column, cut_line.
	Problem string

	cells []string // CSV, as far as it could be told apart
	line  string   // NDJSON
}

// File reads one file from its first record to its last. It is for one
// goroutine.
type File struct {
	path     string
	file     *os.File
	format   Format
	encoding Encoding
	marked   bool // the text starts with a byte order mark
	digest   [32]byte
	size     int64
	rows     int64
	lines    lineReader

	columns map[string]string // heading in canonical spelling → name
	header  []string          // CSV: headings as the file has them
	names   []string          // CSV: name by position, "" for a column that nobody asked for
	comma   byte
	ahead   []line // read for a record that turned out broken, to be read again
}

// Open looks the whole file through and stands before its first record. With
// columns given, only those are handed out, and those required must be there.
// What it can't read gives a *fault.Error of kind Invalid (or NotFound), with
// code empty_file, unsupported_file, unknown_encoding, missing_column,
// duplicate_column or too_many_columns.
func Open(path string, columns ...Column) (*File, error) {
	// Opening a pipe would wait for its writer; asking first doesn't.
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.Wrap(fault.NotFound, "no_such_file", err, "%s", path)
	case err != nil:
		return nil, fmt.Errorf("open: %w", err)
	case !info.Mode().IsRegular():
		return nil, fault.New(fault.Invalid, "unsupported_file", "%s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	f := &File{path: path, file: file, columns: make(map[string]string)}
	for _, c := range columns {
		f.columns[canonical(c.Name)] = c.Name
		for _, a := range c.Aliases {
			f.columns[canonical(a)] = c.Name
		}
	}
	if err := f.start(columns); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return f, nil
}

func (f *File) start(columns []Column) error {
	s, err := f.survey()
	if err != nil {
		return err
	}
	v, err := s.verdict()
	if err != nil {
		return err
	}
	f.encoding, f.marked = v.encoding, v.mark > 0
	if _, err := f.file.Seek(int64(v.mark), io.SeekStart); err != nil {
		return err
	}
	f.lines = lineReader{r: bufio.NewReaderSize(f.file, MaxLine), read: int64(v.mark), cut: v.cut}
	if v.encoding == GB18030 {
		f.lines.decoder = simplifiedchinese.GB18030.NewDecoder()
	}
	f.rows = s.lines
	if s.last != '\n' {
		f.rows++
	}
	if f.format, err = formatOf(f.path, s.head[v.mark:]); err != nil {
		return err
	}
	if f.format == NDJSON {
		return nil
	}
	f.rows--
	return f.readHeader(columns)
}

// survey reads the file once from end to end.
func (f *File) survey() (*survey, error) {
	// The digest is SM3 over the SM3 digests of each MiB: it is for telling
	// files apart, and one long file never has to lie in memory.
	s, sums := &survey{}, []byte{}
	piece := make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(f.file, piece)
		if n > 0 {
			s.write(piece[:n])
			sum := sm.SM3(piece[:n])
			sums = append(sums, sum[:]...)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	f.size, f.digest = s.size, sm.SM3(sums)
	return s, nil
}

// formatOf goes by the name, and by the first character where that says
// nothing.
func formatOf(path string, head []byte) (Format, error) {
	text := strings.TrimLeft(string(head), " \t\r\n")
	if strings.HasPrefix(text, "[") {
		return "", fault.New(fault.Invalid, "unsupported_file", "the file is one JSON array; one JSON object on each line (NDJSON) is read")
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".csv", ".tsv":
		return CSV, nil
	case ".ndjson", ".jsonl", ".json":
		return NDJSON, nil
	}
	if strings.HasPrefix(text, "{") {
		return NDJSON, nil
	}
	return CSV, nil
}

// Digest identifies the content of the file.
func (f *File) Digest() [32]byte { return f.digest }

// Format tells how the records are laid out.
func (f *File) Format() Format { return f.format }

// Encoding tells how the text was found to be written.
func (f *File) Encoding() Encoding { return f.encoding }

// Size is the length of the file in bytes, and Read how many of them have been
// read.
func (f *File) Size() int64 { return f.size }

// Read is how many bytes of the file have been read.
func (f *File) Read() int64 { return f.lines.read }

// Rows is the number of lines that can hold records: exact unless there are
// empty lines or quoted line ends.
func (f *File) Rows() int64 { return f.rows }

// EndsClean tells whether the last line has an end. A file without is whole or
// cut; nothing in it can tell.
func (f *File) EndsClean() bool { return !f.lines.open }

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// Next returns the next record, or io.EOF after the last. Rows that can't be
// read come with a Problem; an error means that the file itself can't be read.
func (f *File) Next() (Row, error) {
	for {
		l, err := f.nextLine()
		if err != nil {
			return Row{}, err
		}
		if l.problem != "" {
			return Row{Number: l.number, Problem: l.problem}, nil
		}
		if strings.TrimSpace(l.text) == "" {
			if l.cut {
				return Row{Number: l.number, Problem: "cut_line"}, nil
			}
			continue
		}
		if f.format == NDJSON {
			return f.object(l), nil
		}
		return f.record(l)
	}
}

func (f *File) nextLine() (line, error) {
	if n := len(f.ahead); n > 0 {
		l := f.ahead[0]
		f.ahead = f.ahead[1:]
		return l, nil
	}
	return f.lines.next()
}
