package person

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/idnum"
)

// ID is how a person is known everywhere but here.
type ID = code.Handle

// State says whether a person's codes are good.
type State string

// The states.
const (
	Active    State = "active"
	Suspended State = "suspended" // by an authority, for a time
	Deceased  State = "deceased"
)

// Person is a resident, in clear text.
type Person struct {
	ID        ID
	Name      string
	Document  idnum.Document
	Phone     string // "" when unknown
	BirthDate string // YYYY-MM-DD; "" when unknown
	State     State
	HasPhoto  bool
}

// Record is to be put in the place of what is known of the bearer of its
// document.
type Record struct {
	Name      string
	Document  idnum.Document // as idnum.Parse returns it
	Phone     string         // as idnum.ValidPhone returns it, or ""
	BirthDate string         // YYYY-MM-DD, or ""
	Photo     []byte         // JPEG; nil leaves the present one
}

func (n Record) check() error {
	if err := idnum.ValidName(n.Name); err != nil {
		return err
	}
	if n.Document.Kind == "" || n.Document.Number == "" {
		return fault.New(fault.Invalid, "invalid_id_number", "no document")
	}
	if n.Phone != "" {
		if phone, err := idnum.ValidPhone(n.Phone); err != nil {
			return err
		} else if phone != n.Phone {
			return fault.New(fault.Invalid, "invalid_phone", "not normalised")
		}
	}
	if n.BirthDate != "" {
		if _, err := time.Parse(time.DateOnly, n.BirthDate); err != nil {
			return fault.New(fault.Invalid, "invalid_birth_date", "want YYYY-MM-DD")
		}
	}
	return nil
}

// encoding is lower-case base32hex: no character that a URL or a file name
// minds, and in the order of the numbers.
var encoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// FormatID writes a handle as 13 characters of 0-9a-v.
func FormatID(id ID) string {
	return encoding.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(id)))
}

// ParseID reads what FormatID writes, and nothing else: fault Invalid
// "invalid_person_id".
func ParseID(s string) (ID, error) {
	b, err := encoding.DecodeString(s)
	if err == nil && len(b) == 8 {
		if id := ID(binary.BigEndian.Uint64(b)); id != 0 && FormatID(id) == s {
			return id, nil
		}
	}
	return 0, fault.New(fault.Invalid, "invalid_person_id", "want 13 characters of 0-9a-v")
}

func newID() (ID, error) {
	for {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return 0, fmt.Errorf("random handle: %w", err)
		}
		if id := ID(binary.BigEndian.Uint64(b[:])); id != 0 {
			return id, nil
		}
	}
}

// dots are the lookalikes of the middle dot in names of minorities and
// foreigners; which of them a keyboard gives differs from one to the next.
var dots = strings.NewReplacer("•", "·", "‧", "·", "・", "·", "･", "·", "∙", "·", "⋅", "·", "●", "·")

// CleanName is the form in which names are kept: one middle dot for all its
// lookalikes, and no blanks around it.
func CleanName(name string) string {
	name = dots.Replace(strings.TrimSpace(name))
	if !strings.Contains(name, "·") {
		return name
	}
	parts := strings.Split(name, "·")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return strings.Join(parts, "·")
}
