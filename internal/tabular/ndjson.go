package tabular

import (
	"encoding/json"
	"io"
	"strings"
)

// object reads one line as a JSON object of plain values. Numbers keep the
// digits they are written with, so that a document number given as a number
// isn't rounded; null is an empty field.
func (f *File) object(l line) Row {
	row := Row{Number: l.number, line: l.text}
	fields, problem := f.fields(l.text)
	switch {
	case l.cut, l.open && problem == "bad_json":
		row.Problem = "cut_line"
	case problem != "":
		row.Problem = problem
	default:
		row.Fields = fields
	}
	return row
}

func (f *File) fields(text string) (map[string]string, string) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, "bad_json"
	}
	fields := make(map[string]string)
	for columns := 0; d.More(); columns++ {
		if columns == MaxColumns {
			return nil, "too_many_columns"
		}
		key, err := d.Token()
		if err != nil {
			return nil, "bad_json"
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, "bad_json"
		}
		name, known := f.columns[canonical(key.(string))]
		if !known {
			if len(f.columns) > 0 {
				continue
			}
			name = canonical(key.(string))
		}
		if _, twice := fields[name]; twice {
			return nil, "duplicate_column"
		}
		s, flat := plain(value)
		if !flat {
			return nil, "not_flat"
		}
		if strings.ContainsRune(s, 0) || strings.ContainsRune(s, '\uFFFD') {
			return nil, "bad_text"
		}
		fields[name] = trim(s)
	}
	if _, err := d.Token(); err != nil {
		return nil, "bad_json"
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, "bad_json"
	}
	return fields, ""
}

func plain(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}
