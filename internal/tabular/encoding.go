package tabular

import (
	"bytes"
	"unicode/utf8"

	"github.com/citycode/citycode/internal/fault"
)

// Encoding names how a file's text is written.
type Encoding string

// The encodings that are read.
const (
	UTF8    Encoding = "UTF-8"
	GB18030 Encoding = "GB18030"
)

// survey learns from a whole file, piece by piece, what its bytes can be. It
// tries both encodings at once, so that one reading is enough.
type survey struct {
	head  []byte // the first bytes, for marks and signatures
	size  int64
	lines int64 // line feeds
	nul   int64
	cr    int64
	last  byte

	carry   []byte // start of a character that the next piece completes
	badUTF8 int64  // line of the first byte that isn't UTF-8, 0 = none

	gb gbScan
}

const headSize = 4096

// write takes the next piece of the file; the first is the whole file or at
// least as long as a mark.
func (s *survey) write(p []byte) {
	if room := headSize - len(s.head); room > 0 {
		s.head = append(s.head, p[:min(room, len(p))]...)
	}
	first := s.lines + 1
	if s.size == 0 {
		// Read as GB18030, three bytes of another encoding's mark would swallow
		// the letter after them; so both marks are left out.
		s.gb.write(p[markLength(p):], first)
	} else {
		s.gb.write(p, first)
	}
	if s.badUTF8 == 0 {
		s.scanUTF8(p, first)
	}
	s.size += int64(len(p))
	s.lines += int64(bytes.Count(p, []byte{'\n'}))
	s.nul += int64(bytes.Count(p, []byte{0}))
	s.cr += int64(bytes.Count(p, []byte{'\r'}))
	if len(p) > 0 {
		s.last = p[len(p)-1]
	}
}

func (s *survey) scanUTF8(p []byte, line int64) {
	if len(s.carry) > 0 {
		s.carry = append(s.carry, p...)
		p = s.carry
		s.carry = nil
	}
	for i := 0; i < len(p); {
		if p[i] < utf8.RuneSelf {
			if p[i] == '\n' {
				line++
			}
			i++
			continue
		}
		if !utf8.FullRune(p[i:]) {
			s.carry = bytes.Clone(p[i:])
			return
		}
		r, n := utf8.DecodeRune(p[i:])
		if r == utf8.RuneError && n == 1 {
			s.badUTF8 = line
			return
		}
		i += n
	}
}

// gbScan follows GB18030: one byte 00-7F; two bytes 81-FE, 40-7E or 80-FE;
// four bytes 81-FE, 30-39, 81-FE, 30-39.
type gbScan struct {
	state  int // bytes of the present character already read
	lead   byte
	bad    int64 // line of the first impossible byte, 0 = none
	wide   int64 // characters of more than one byte
	common int64 // those of GB 2312, which ordinary text is made of
}

func (g *gbScan) write(p []byte, line int64) {
	if g.bad != 0 {
		return
	}
	for _, b := range p {
		ok := true
		switch g.state {
		case 0:
			switch {
			case b == '\n':
				line++
			case b >= 0x81 && b <= 0xfe:
				g.state, g.lead = 1, b
			case b >= 0x80:
				ok = false
			}
		case 1:
			switch {
			case b >= 0x30 && b <= 0x39:
				g.state = 2
			case b >= 0x40 && b <= 0xfe && b != 0x7f:
				g.state = 0
				g.wide++
				if g.lead >= 0xa1 && g.lead <= 0xf7 && b >= 0xa1 {
					g.common++
				}
			default:
				ok = false
			}
		case 2:
			if ok = b >= 0x81 && b <= 0xfe; ok {
				g.state = 3
			}
		case 3:
			if ok = b >= 0x30 && b <= 0x39; ok {
				g.state = 0
				g.wide++
			}
		}
		if !ok {
			g.bad = line
			return
		}
	}
}

// marks at the start of a file. Some programs put the UTF-8 mark before text
// in GB18030, so the mark alone decides nothing.
var (
	markUTF8    = []byte{0xef, 0xbb, 0xbf}
	markGB18030 = []byte{0x84, 0x31, 0x95, 0x33}
)

func markLength(p []byte) int {
	for _, m := range [][]byte{markUTF8, markGB18030} {
		if bytes.HasPrefix(p, m) {
			return len(m)
		}
	}
	return 0
}

// verdict is what a survey comes to.
type verdict struct {
	encoding Encoding
	mark     int  // bytes to leave out at the start
	cut      bool // the file ends within a character
}

func (s *survey) verdict() (verdict, error) {
	if err := s.foreign(); err != nil {
		return verdict{}, err
	}
	v := verdict{encoding: UTF8, mark: markLength(s.head), cut: len(s.carry) > 0}
	if s.badUTF8 == 0 {
		return v, nil
	}
	v.encoding, v.cut = GB18030, s.gb.state != 0
	if s.gb.bad != 0 {
		return v, fault.New(fault.Invalid, "unknown_encoding",
			"the text is neither UTF-8 (line %d) nor GB18030/GBK (line %d); save it as \"CSV UTF-8\"", s.badUTF8, s.gb.bad)
	}
	if s.gb.common*2 < s.gb.wide {
		return v, fault.New(fault.Invalid, "unknown_encoding",
			"the text is not UTF-8 (line %d), and read as GB18030/GBK it is mostly rare characters: it may be in a Western encoding; save it as \"CSV UTF-8\"", s.badUTF8)
	}
	return v, nil
}

// foreign recognises what isn't a file of lines at all.
func (s *survey) foreign() error {
	refuse := func(what string) error {
		return fault.New(fault.Invalid, "unsupported_file", "%s; save it as \"CSV UTF-8\"", what)
	}
	switch h := s.head; {
	case s.size == 0:
		return fault.New(fault.Invalid, "empty_file", "the file is empty")
	case bytes.HasPrefix(h, []byte{0xff, 0xfe}):
		return refuse("the file is UTF-16 (little-endian)")
	case bytes.HasPrefix(h, []byte{0xfe, 0xff}):
		return refuse("the file is UTF-16 (big-endian)")
	case bytes.HasPrefix(h, []byte("PK\x03\x04")):
		return refuse("the file is an Excel workbook or a zip archive")
	case bytes.HasPrefix(h, []byte{0xd0, 0xcf, 0x11, 0xe0}):
		return refuse("the file is an Excel 97-2003 workbook")
	case bytes.HasPrefix(h, []byte{0x1f, 0x8b}):
		return refuse("the file is compressed (gzip)")
	case bytes.Count(h, []byte{0})*10 > len(h):
		return refuse("the file is binary, or UTF-16 without a mark")
	case s.lines == 0 && s.cr > 0:
		return refuse("the lines end in CR alone")
	}
	return nil
}
