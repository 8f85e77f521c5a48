package scan

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/scene"
	"github.com/citycode/citycode/internal/status"
)

// ID names a scan: 48 bits of Unix milliseconds, then 80 random bits, so that
// ids sort by time and can't be guessed.
type ID [16]byte

var idText = base32.HexEncoding.WithPadding(base32.NoPadding)

// NewID makes an id for the moment.
func NewID(at time.Time) (ID, error) {
	var id ID
	binary.BigEndian.PutUint64(id[:], uint64(at.UnixMilli())<<16)
	if _, err := rand.Read(id[6:]); err != nil {
		return ID{}, fmt.Errorf("scan: %w", err)
	}
	return id, nil
}

// String returns 26 characters of 0-9a-v, which sort as the ids do.
func (id ID) String() string { return strings.ToLower(idText.EncodeToString(id[:])) }

// Time returns the moment in the id.
func (id ID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:]) >> 16))
}

// Tail returns the last eight characters, which watermarks carry.
func (id ID) Tail() string { s := id.String(); return s[len(s)-8:] }

// ParseID reads what String wrote. Anything else is NotFound: an id that can't
// exist and one that doesn't are the same to a caller.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) == 26 {
		if b, err := idText.DecodeString(strings.ToUpper(s)); err == nil && len(b) == len(id) {
			copy(id[:], b)
			if id.String() == s {
				return id, nil
			}
		}
	}
	return ID{}, fault.New(fault.NotFound, "no_such_scan", "not an id of a scan")
}

// Scan is the record of one answered scan.
type Scan struct {
	ID        ID
	At        time.Time // milliseconds
	Verifier  code.Handle
	Scene     scene.Name
	Place     string
	Method    string // camera, device or manual
	Outcome   Outcome
	Admission scene.Admission
	Kind      code.Kind   // 0: the text was no code
	Subject   code.Handle // 0: not known
	Holder    code.Handle // who showed it, where that is another; 0 otherwise
	Color     status.Color
	Disclosed []scene.Field
	ScannedAt time.Time // as the client said; zero when it didn't
	Channel   string
}

// StatusField stands in the list of what was disclosed when a colour was.
const StatusField scene.Field = "status"

func joinFields(fs []scene.Field) string {
	parts := make([]string, len(fs))
	for i, f := range fs {
		parts[i] = string(f)
	}
	return strings.Join(parts, ",")
}

func splitFields(s string) []scene.Field {
	if s == "" {
		return nil
	}
	var out []scene.Field
	for f := range strings.SplitSeq(s, ",") {
		out = append(out, scene.Field(f))
	}
	return out
}

// row is a Scan as it stands in the table.
type row struct {
	id                                                  []byte
	at, verifier                                        int64
	scene, place, method, outcome, admission, kind, chn string
	subject, holder, scannedAt                          *int64
	color                                               int64
	disclosed                                           string
}

func (s *Scan) row() row {
	r := row{
		id: s.ID[:], at: s.At.UnixMilli(), verifier: int64(s.Verifier), scene: string(s.Scene), place: s.Place,
		method: s.Method, outcome: string(s.Outcome), admission: string(s.Admission), chn: s.Channel,
		subject: handleOrNull(s.Subject), holder: handleOrNull(s.Holder), color: int64(s.Color),
		disclosed: joinFields(s.Disclosed),
	}
	if s.Kind != 0 {
		r.kind = s.Kind.String()
	}
	if !s.ScannedAt.IsZero() {
		ms := s.ScannedAt.UnixMilli()
		r.scannedAt = &ms
	}
	return r
}

func (r *row) scan() Scan {
	s := Scan{
		At: time.UnixMilli(r.at), Verifier: code.Handle(r.verifier), Scene: scene.Name(r.scene), Place: r.place,
		Method: r.method, Outcome: Outcome(r.outcome), Admission: scene.Admission(r.admission), Channel: r.chn,
		Subject: nullOrHandle(r.subject), Holder: nullOrHandle(r.holder), Color: status.Color(r.color),
		Disclosed: splitFields(r.disclosed),
	}
	copy(s.ID[:], r.id)
	for _, k := range []code.Kind{code.KindLive, code.KindRelative, code.KindPaper, code.KindPlace} {
		if k.String() == r.kind {
			s.Kind = k
		}
	}
	if r.scannedAt != nil {
		s.ScannedAt = time.UnixMilli(*r.scannedAt)
	}
	return s
}

// canonical appends the row as the audit's leaf covers it; see the package
// comment.
func (r *row) canonical(dst []byte) []byte {
	text := func(s string) {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
		dst = append(dst, s...)
	}
	number := func(n int64) { text(strconv.FormatInt(n, 10)) }
	optional := func(n *int64) {
		if n == nil {
			text("")
		} else {
			number(*n)
		}
	}
	text(string(r.id))
	number(r.at)
	number(r.verifier)
	text(r.scene)
	text(r.place)
	text(r.method)
	text(r.outcome)
	text(r.admission)
	text(r.kind)
	optional(r.subject)
	optional(r.holder)
	number(r.color)
	text(r.disclosed)
	optional(r.scannedAt)
	text(r.chn)
	return dst
}

func handleOrNull(h code.Handle) *int64 {
	if h == 0 {
		return nil
	}
	n := int64(h)
	return &n
}

func nullOrHandle(n *int64) code.Handle {
	if n == nil {
		return 0
	}
	return code.Handle(*n)
}
