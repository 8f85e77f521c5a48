package person

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/intake"
	"github.com/citycode/citycode/internal/sm"
	"github.com/citycode/citycode/internal/tabular"
)

// ImportOptions are those of Import; all may be left out.
type ImportOptions struct {
	RejectsPath string                  // "" is beside the file
	Progress    func(done, total int64) // rows
}

// ImportReport is what became of a file of people.
type ImportReport = intake.Report

func importColumns() []tabular.Column {
	return append([]tabular.Column{{Name: "name", Aliases: []string{"姓名"}, Required: true}}, append(intake.DocumentColumns(),
		tabular.Column{Name: "phone", Aliases: []string{"手机", "手机号", "手机号码", "电话", "联系电话"}},
		tabular.Column{Name: "birth_date", Aliases: []string{"出生日期", "出生年月日", "birthday", "date_of_birth"}},
		tabular.Column{Name: "photo", Aliases: []string{"照片"}},
	)...)
}

// Import brings the people of a file in. A row is rejected as invalid_name,
// unknown_document_kind, invalid_id_number, invalid_phone, invalid_birth_date,
// birth_date_mismatch (the document tells another), one of the photo_ codes,
// duplicate_row, or for its form. Notes count what was taken but may be worth a
// look: county_not_in_table, check_digit_differs, read_as_gb18030,
// last_line_has_no_end (half a file, perhaps).
func (s *Store) Import(ctx context.Context, path string, o ImportOptions) (ImportReport, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return ImportReport{}, fmt.Errorf("import of people: %w", err)
	}
	defer root.Close()
	options := intake.IDOptions(s.cfg.Now(), s.cfg.AllowSample)
	return intake.Run(ctx, intake.Config{DB: s.cfg.DB, Node: s.cfg.Node, Now: s.cfg.Now}, intake.Job[incoming]{
		Kind: "people", Path: path, RejectsPath: o.RejectsPath, Columns: importColumns(), Progress: o.Progress,
		Parse: func(row tabular.Row) intake.Parsed[incoming] { return parseRow(row, options, folder{root}) },
		Write: func(ctx context.Context, items []incoming, advance intake.Advance) ([]intake.Result, error) {
			if err := s.put(ctx, items, advance); err != nil {
				return nil, err
			}
			results := make([]intake.Result, len(items))
			for i, r := range items {
				results[i].Outcome = r.outcome
			}
			return results, nil
		},
	})
}

func parseRow(row tabular.Row, o idnum.Options, photos folder) (p intake.Parsed[incoming]) {
	r, notes, reason := parseRecord(row.Fields, o)
	if reason == "" && row.Fields["photo"] != "" {
		r.Photo, reason = photos.photo(row.Fields["photo"])
	}
	if reason != "" {
		p.Reason = reason
		return p
	}
	photo := sm.SM3(r.Photo)
	p.Item, p.Notes, p.Bytes = r, notes, len(r.Photo)
	p.Key = string(r.Document.Kind) + " " + r.Document.Number
	p.Same = strings.Join([]string{r.Name, r.Phone, r.BirthDate, string(photo[:])}, "\x00")
	return p
}

func parseRecord(fields map[string]string, o idnum.Options) (r incoming, notes []string, reason string) {
	r.Name = CleanName(fields["name"])
	if err := idnum.ValidName(r.Name); err != nil {
		return r, nil, fault.CodeOf(err)
	}
	if r.Document, notes, reason = intake.Document(fields, o); reason != "" {
		return r, nil, reason
	}
	phone, has := fields["phone"]
	r.keepPhone = !has
	if phone != "" {
		var err error
		if r.Phone, err = idnum.ValidPhone(phone); err != nil {
			return r, nil, fault.CodeOf(err)
		}
	}
	birth, has := fields["birth_date"]
	r.keepBirthDate = !has
	if r.BirthDate, reason = birthDate(birth, r.Document, o.Now); reason != "" {
		return r, nil, reason
	}
	return r, notes, ""
}

// birthForms are how registries and spreadsheets write a day.
var birthForms = []string{"2006-1-2", "2006/1/2", "20060102", "2006.1.2", "2006年1月2日"}

// birthDate reads the day of birth, and compares it with what the document
// tells; without one, that is taken.
func birthDate(text string, d idnum.Document, now time.Time) (day, reason string) {
	told, tells := d.BirthDate()
	if text == "" {
		if tells {
			return told.Format(time.DateOnly), ""
		}
		return "", ""
	}
	for _, form := range birthForms {
		t, err := time.Parse(form, text)
		if err != nil {
			continue
		}
		y, m, today := now.Date()
		switch {
		case t.Year() < 1850, t.After(time.Date(y, m, today, 0, 0, 0, 0, time.UTC)):
			return "", "invalid_birth_date"
		case tells && !t.Equal(told):
			return "", "birth_date_mismatch"
		}
		return t.Format(time.DateOnly), ""
	}
	return "", "invalid_birth_date"
}
