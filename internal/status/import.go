package status

import (
	"context"
	"strings"

	"github.com/citycode/citycode/code"
	"github.com/citycode/citycode/internal/commit"
	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/intake"
	"github.com/citycode/citycode/internal/tabular"
)

// Finder knows who bears a document. 0 stands for nobody. Package person has
// the one that counts; it lies above this package.
type Finder interface {
	FindAll(ctx context.Context, q db.Querier, documents []idnum.Document) ([]code.Handle, error)
}

// ImportOptions are those of Import. The Finder is required.
type ImportOptions struct {
	Finder      Finder
	RejectsPath string                  // "" is beside the file
	Progress    func(done, total int64) // rows
}

// ImportReport is what became of a file of statuses. Rows = Changed + Unchanged
// + Rejected.
type ImportReport struct {
	Rows        int            `json:"rows"`
	Changed     int            `json:"changed"`
	Unchanged   int            `json:"unchanged"`
	Resumed     int            `json:"resumed"` // of Unchanged: written by an earlier run that was cut short
	Rejected    int            `json:"rejected"`
	Reasons     map[string]int `json:"reasons"` // of rejection, by code
	Notes       map[string]int `json:"notes"`   // what was taken, but may be worth a look
	Seconds     float64        `json:"seconds"`
	RejectsFile string         `json:"rejects_file,omitempty"`
}

// maxNewReasons bounds how many reasons one file may add to the dictionary: a
// file with more has something else in that column, which would stay in the
// database for good.
const maxNewReasons = 200

func importColumns() []tabular.Column {
	return append(intake.DocumentColumns(),
		tabular.Column{Name: "scheme", Aliases: []string{"码制"}},
		tabular.Column{Name: "color", Aliases: []string{"colour", "颜色", "码色"}, Required: true},
		tabular.Column{Name: "reason_code", Aliases: []string{"reason", "原因", "原因代码"}, Required: true},
	)
}

var colorWords = map[string]Color{
	"绿": Green, "绿码": Green, "绿色": Green,
	"黄": Yellow, "黄码": Yellow, "黄色": Yellow,
	"红": Red, "红码": Red, "红色": Red,
}

// imported is a row of a file of statuses.
type imported struct {
	document idnum.Document
	color    Color
	reason   string
}

// Import gives the people of a file their colours. Rows are rejected as
// unknown_person, invalid_id_number, unknown_document_kind, unknown_scheme,
// invalid_color, invalid_reason_code, duplicate_row or for their form. A row
// that says what is known already changes nothing. A file that would bring more
// than 200 new reasons is given up: fault Invalid "too_many_reasons".
func (s *Store) Import(ctx context.Context, path string, o ImportOptions) (ImportReport, error) {
	newReasons := 0
	r, err := intake.Run(ctx, intake.Config{DB: s.cfg.DB, Node: s.cfg.Node, Now: s.cfg.Now}, intake.Job[imported]{
		Kind: "status", Path: path, RejectsPath: o.RejectsPath, Columns: importColumns(), Progress: o.Progress,
		// Sample documents pass: that nobody bears one is found out anyway.
		Parse: func(row tabular.Row) intake.Parsed[imported] {
			return parseImported(row, intake.IDOptions(s.cfg.Now(), true))
		},
		Write: func(ctx context.Context, items []imported, advance intake.Advance) (results []intake.Result, err error) {
			added := 0
			err = s.cfg.Node.Do(ctx, func(ctx context.Context, tx *commit.Tx) error {
				if results, added, err = s.importChunk(ctx, tx, o.Finder, items); err != nil {
					return err
				}
				if newReasons+added > maxNewReasons {
					return fault.New(fault.Invalid, "too_many_reasons", "the file brings more than %d new reason codes", maxNewReasons)
				}
				return advance(ctx, tx)
			})
			newReasons += added
			return results, err
		},
		Recheck: func(ctx context.Context, items []imported) (reasons []string, err error) {
			err = s.cfg.DB.Read(ctx, func(ctx context.Context, q db.Querier) error {
				found, err := o.Finder.FindAll(ctx, q, documents(items))
				reasons = make([]string, len(items))
				for i, h := range found {
					if h == 0 {
						reasons[i] = "unknown_person"
					}
				}
				return err
			})
			return reasons, err
		},
	})
	return ImportReport{
		Rows: r.Rows, Changed: r.Updated, Unchanged: r.Unchanged, Resumed: r.Resumed, Rejected: r.Rejected,
		Reasons: r.Reasons, Notes: r.Notes, Seconds: r.Seconds, RejectsFile: r.RejectsFile,
	}, err
}

func parseImported(row tabular.Row, o idnum.Options) (p intake.Parsed[imported]) {
	d, notes, reason := intake.Document(row.Fields, o)
	if reason != "" {
		p.Reason = reason
		return p
	}
	if scheme := row.Fields["scheme"]; scheme != "" && scheme != Health {
		p.Reason = "unknown_scheme"
		return p
	}
	word := strings.ToLower(row.Fields["color"])
	c, ok := ParseColor(word)
	if !ok {
		if c, ok = colorWords[word]; !ok {
			p.Reason = "invalid_color"
			return p
		}
	}
	if !ValidReason(row.Fields["reason_code"]) {
		p.Reason = "invalid_reason_code"
		return p
	}
	p.Item = imported{d, c, row.Fields["reason_code"]}
	p.Key, p.Same, p.Notes = string(d.Kind)+" "+d.Number, c.String()+" "+p.Item.reason, notes
	return p
}

func documents(items []imported) []idnum.Document {
	all := make([]idnum.Document, len(items))
	for i, x := range items {
		all[i] = x.document
	}
	return all
}

// importChunk is one transaction's rows.
func (s *Store) importChunk(ctx context.Context, tx *commit.Tx, people Finder, items []imported) ([]intake.Result, int, error) {
	found, err := people.FindAll(ctx, tx, documents(items))
	if err != nil {
		return nil, 0, err
	}
	results := make([]intake.Result, len(items))
	var list []Assignment
	var at []int // of the item that an assignment is for
	for i, h := range found {
		if h == 0 {
			results[i].Reason = "unknown_person"
			continue
		}
		list = append(list, Assignment{Person: h, Color: items[i].color, ReasonCode: items[i].reason})
		at = append(at, i)
	}
	changed, added, err := s.set(ctx, tx, list)
	if err != nil {
		return nil, 0, err
	}
	for k, i := range at {
		if changed[k] {
			results[i].Outcome = intake.Updated
		}
	}
	return results, added, nil
}
