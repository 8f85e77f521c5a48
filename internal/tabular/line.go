package tabular

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"golang.org/x/text/encoding"
)

// line is one line of text, without its end.
type line struct {
	number  int
	text    string
	open    bool // the file ended before the line did
	cut     bool // and within a character
	problem string
}

// lineReader gives out lines in UTF-8. Splitting before decoding is right in
// both encodings: no byte of a character of several bytes is a line feed.
type lineReader struct {
	r       *bufio.Reader // of MaxLine bytes
	decoder *encoding.Decoder
	read    int64
	number  int
	cut     bool // the file ends within a character
	open    bool // the last line given out had no end
}

func (r *lineReader) next() (line, error) {
	raw, err := r.r.ReadSlice('\n')
	r.read += int64(len(raw))
	if err == io.EOF && len(raw) == 0 {
		return line{}, io.EOF
	}
	r.number++
	l := line{number: r.number}
	switch err {
	case nil:
	case io.EOF:
		l.open, l.cut, r.open = true, r.cut, true
	case bufio.ErrBufferFull:
		l.problem = "line_too_long"
		return l, r.skip()
	default:
		return line{}, err
	}
	raw = bytes.TrimSuffix(raw, []byte{'\n'})
	raw = bytes.TrimSuffix(raw, []byte{'\r'})
	l.text, l.problem = r.decode(raw, l.cut)
	return l, nil
}

// skip passes over the rest of a line.
func (r *lineReader) skip() error {
	for {
		raw, err := r.r.ReadSlice('\n')
		r.read += int64(len(raw))
		switch err {
		case nil:
			return nil
		case io.EOF:
			r.open = true
			return nil
		case bufio.ErrBufferFull:
		default:
			return err
		}
	}
}

func (r *lineReader) decode(raw []byte, cut bool) (text, problem string) {
	if r.decoder != nil {
		var err error
		if raw, err = r.decoder.Bytes(raw); err != nil {
			return "", "bad_text"
		}
	}
	text = string(raw)
	if cut {
		return strings.ToValidUTF8(text, ""), ""
	}
	// U+FFFD stands for a byte pair that GB18030 leaves unassigned, or for a
	// character that an earlier program had lost already.
	if strings.ContainsRune(text, 0) || strings.ContainsRune(text, '\uFFFD') {
		return "", "bad_text"
	}
	return text, ""
}
