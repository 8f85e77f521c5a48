package tabular

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/citycode/citycode/internal/fault"
)

var people = []Column{
	{Name: "name", Aliases: []string{"姓名"}, Required: true},
	{Name: "document_number", Aliases: []string{"证件号码", "身份证号"}, Required: true},
	{Name: "phone", Aliases: []string{"手机号"}},
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rows reads a file to its end; rows with a problem read as "number!problem",
// others as "number:name|document_number|phone".
func rows(t *testing.T, f *File) []string {
	t.Helper()
	var out []string
	for {
		r, err := f.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, show(r))
	}
}

func show(r Row) string {
	n := string(rune('0' + r.Number))
	if r.Number > 9 {
		n = "+"
	}
	if r.Problem != "" {
		return n + "!" + r.Problem
	}
	return n + ":" + r.Fields["name"] + "|" + r.Fields["document_number"] + "|" + r.Fields["phone"]
}

func gb(t *testing.T, s string) string {
	t.Helper()
	out, err := simplifiedchinese.GB18030.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const plainCSV = "name,document_number,phone\n张三,1,10\n欧阳娜娜,2,20\n"

var plainRows = []string{"2:张三|1|10", "3:欧阳娜娜|2|20"}

func TestFilesOfEveryUsualFormReadAlike(t *testing.T) {
	for name, c := range map[string]struct {
		file, content string
		encoding      Encoding
	}{
		"UTF-8":                        {"a.csv", plainCSV, UTF8},
		"UTF-8 with a mark":            {"a.csv", "\ufeff" + plainCSV, UTF8},
		"GBK":                          {"a.csv", gb(t, plainCSV), GB18030},
		"GBK behind a UTF-8 mark":      {"a.csv", "\ufeff" + gb(t, plainCSV), GB18030},
		"GB18030 with its mark":        {"a.csv", gb(t, "\ufeff"+plainCSV), GB18030},
		"Chinese headings in GBK":      {"a.csv", gb(t, "姓名,身份证号,手机号\n张三,1,10\n欧阳娜娜,2,20\n"), GB18030},
		"Chinese, GBK, UTF-8 mark":     {"a.csv", "\ufeff" + gb(t, "姓名,身份证号,手机号\n张三,1,10\n欧阳娜娜,2,20\n"), GB18030},
		"CR LF":                        {"a.csv", strings.ReplaceAll(plainCSV, "\n", "\r\n"), UTF8},
		"no end to the last line":      {"a.csv", strings.TrimSuffix(plainCSV, "\n"), UTF8},
		"tabs":                         {"a.tsv", strings.ReplaceAll(plainCSV, ",", "\t"), UTF8},
		"semicolons":                   {"a.csv", strings.ReplaceAll(plainCSV, ",", ";"), UTF8},
		"quotes":                       {"a.csv", "\"name\",\"document_number\",\"phone\"\n\"张三\",\"1\",\"10\"\n\"欧阳娜娜\", \"2\" ,20\n", UTF8},
		"spaces and tabs around cells": {"a.csv", " Name , Document-Number,PHONE\n　张三 ,1\t, 10\n欧阳娜娜,2,20\n", UTF8},
		"columns nobody asked for":     {"a.csv", "row,name,document_number,remark,phone\n1,张三,1,x,10\n2,欧阳娜娜,2,,20\n", UTF8},
		"empty columns at the end":     {"a.csv", "name,document_number,phone\n张三,1,10,,\n欧阳娜娜,2,20,\n", UTF8},
		"NDJSON":                       {"a.ndjson", "{\"name\":\"张三\",\"document_number\":1,\"phone\":\"10\"}\n{\"姓名\":\"欧阳娜娜\",\"Document Number\":\"2\",\"phone\":20,\"x\":{}}\n", UTF8},
		"NDJSON in GBK":                {"a.json", gb(t, "{\"name\":\"张三\",\"document_number\":1,\"phone\":\"10\"}\n{\"name\":\"欧阳娜娜\",\"document_number\":\"2\",\"phone\":20}\n"), GB18030},
		"NDJSON by its looks":          {"export", "{\"name\":\"张三\",\"document_number\":1,\"phone\":\"10\"}\n{\"name\":\"欧阳娜娜\",\"document_number\":\"2\",\"phone\":20}\n", UTF8},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(write(t, c.file, c.content), people...)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			want := plainRows
			if f.Format() == NDJSON {
				want = []string{"1:张三|1|10", "2:欧阳娜娜|2|20"}
			}
			if diff := cmp.Diff(want, rows(t, f)); diff != "" {
				t.Error(diff)
			}
			if f.Encoding() != c.encoding {
				t.Errorf("encoding %s, want %s", f.Encoding(), c.encoding)
			}
			if f.Rows() != 2 {
				t.Errorf("Rows() = %d, want 2", f.Rows())
			}
			if f.Read() != f.Size() || f.Size() != int64(len(c.content)) {
				t.Errorf("read %d of %d, want %d", f.Read(), f.Size(), len(c.content))
			}
			if clean := strings.HasSuffix(c.content, "\n"); f.EndsClean() != clean {
				t.Errorf("EndsClean() = %v", f.EndsClean())
			}
		})
	}
}

func TestWhatCannotBeReadIsRefusedInWords(t *testing.T) {
	var le []byte
	for _, u := range utf16.Encode([]rune(plainCSV)) {
		le = append(le, byte(u), byte(u>>8))
	}
	for name, c := range map[string]struct{ file, content, code, says string }{
		"an empty file":            {"a.csv", "", "empty_file", "empty"},
		"a mark and nothing else":  {"a.csv", "\ufeff", "empty_file", "no line"},
		"blank lines":              {"a.csv", "\n \n", "empty_file", "no line"},
		"UTF-16 with a mark":       {"a.csv", "\xff\xfe" + string(le), "unsupported_file", "UTF-16"},
		"UTF-16 without":           {"a.csv", string(le), "unsupported_file", "UTF-16"},
		"a workbook":               {"a.csv", "PK\x03\x04xxxx", "unsupported_file", "Excel"},
		"an old workbook":          {"a.csv", "\xd0\xcf\x11\xe0\xa1\xb1", "unsupported_file", "Excel"},
		"gzip":                     {"a.csv.gz", "\x1f\x8b\x08", "unsupported_file", "gzip"},
		"CR alone":                 {"a.csv", strings.ReplaceAll(plainCSV, "\n", "\r"), "unsupported_file", "CR"},
		"a JSON array":             {"a.json", "[{\"name\":\"x\"}]", "unsupported_file", "NDJSON"},
		"Latin-1":                  {"a.csv", "name,document_number\nM\xfcller,1\nMart\xednez,2\n", "unknown_encoding", "Western"},
		"both encodings in one":    {"a.csv", plainCSV + gb(t, "李四,3,30") + "\n\xff\n", "unknown_encoding", "line 4"},
		"no header":                {"a.csv", "张三,310000199001010010\n", "missing_column", "0 of 2 known"},
		"a required column gone":   {"a.csv", "name,phone\n张三,1\n", "missing_column", "document_number"},
		"a column twice":           {"a.csv", "name,姓名,document_number\n", "duplicate_column", "columns 1 and 2"},
		"too many columns":         {"a.csv", "name,document_number" + strings.Repeat(",x", 200) + "\n", "too_many_columns", "200"},
		"a header that never ends": {"a.csv", "name,\"document_number\nx,y\n", "missing_column", "quotes"},
		"a very long line":         {"a.csv", strings.Repeat("name,", MaxLine), "missing_column", "line_too_long"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(write(t, c.file, c.content), people...)
			if fault.CodeOf(err) != c.code || fault.KindOf(err) != fault.Invalid {
				t.Fatalf("got %v, want %s", err, c.code)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q doesn't say %q", err, c.says)
			}
			if strings.Contains(err.Error(), "张三") || strings.Contains(err.Error(), "310000") {
				t.Errorf("%q repeats the file", err)
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.csv")); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a missing file gave %v", err)
	}
	if _, err := Open(t.TempDir()); fault.CodeOf(err) != "unsupported_file" {
		t.Errorf("a folder gave %v", err)
	}
}

func TestAWrongRowCostsNoOther(t *testing.T) {
	const head = "name,document_number,phone\n"
	long := strings.Repeat("长", MaxLine)
	for name, c := range map[string]struct {
		content string
		want    []string
	}{
		"too few cells":                  {head + "张三,1\n李四,2,20\n", []string{"2!too_few_columns", "3:李四|2|20"}},
		"too many":                       {head + "张三,1,10,x\n李四,2,20\n", []string{"2!too_many_columns", "3:李四|2|20"}},
		"a line that is too long":        {head + "张三," + long + ",1\n李四,2,20\n", []string{"2!line_too_long", "3:李四|2|20"}},
		"a quote that stays open":        {head + "\"张三,1,10\n李四,2,20\n王五,3,30\n", []string{"2!bad_quotes", "3:李四|2|20", "4:王五|3|30"}},
		"two quotes that stay open":      {head + "\"张三,1,10\n\"李四,2,20\n王五,3,30\n", []string{"2!bad_quotes", "3!bad_quotes", "4:王五|3|30"}},
		"a quote inside":                 {head + "张\"三,1,10\n李四,2,20\n", []string{"2!bad_quotes", "3:李四|2|20"}},
		"text after a quote":             {head + "\"张三\"x,1,10\n李四,2,20\n", []string{"2!bad_quotes", "3:李四|2|20"}},
		"a quoted line end":              {head + "张三,1,\"1\n0\"\n李四,2,20\n", []string{"2:张三|1|1\n0", "4:李四|2|20"}},
		"a NUL":                          {head + "张\x00三,1,10\n李四,2,20\n", []string{"2!bad_text", "3:李四|2|20"}},
		"a character lost earlier":       {head + "张\ufffd,1,10\n李四,2,20\n", []string{"2!bad_text", "3:李四|2|20"}},
		"blank lines between":            {head + "\n张三,1,10\n   \n\n李四,2,20\n\n", []string{"3:张三|1|10", "6:李四|2|20"}},
		"half a file":                    {head + "张三,1,10\n李四,2", []string{"2:张三|1|10", "3!cut_line"}},
		"half a file, inside quotes":     {head + "张三,1,10\n\"李四", []string{"2:张三|1|10", "3!cut_line"}},
		"half a file, inside a letter":   {(head + "张三,1,10\n李四,2,2李")[:len(head+"张三,1,10\n李四,2,2李")-1], []string{"2:张三|1|10", "3!cut_line"}},
		"half a file of GBK":             {gb(t, head+"张三,1,10\n李四,2,李")[:len(gb(t, head+"张三,1,10\n李四,2,李"))-1], []string{"2:张三|1|10", "3!cut_line"}},
		"an unassigned GB18030 position": {gb(t, head+"张三,1,10\n李四,2,20\n") + "\xa2\xa1\xfe\xfe\x84\x31\xa5\x30,1,1\n", []string{"2:张三|1|10", "3:李四|2|20", "4!bad_text"}},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(write(t, "a.csv", c.content), people...)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if diff := cmp.Diff(c.want, rows(t, f)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAWrongObjectCostsNoOther(t *testing.T) {
	const good = `{"name":"李四","document_number":"2"}` + "\n"
	for name, c := range map[string]struct{ line, want string }{
		"no JSON":                {"nonsense", "1!bad_json"},
		"a bare string":          {`"a"`, "1!bad_json"},
		"two objects":            {`{"name":"a"}{"name":"b"}`, "1!bad_json"},
		"an open object":         {`{"name":"a"`, "1!bad_json"},
		"a nested value":         {`{"name":{"first":"a"}}`, "1!not_flat"},
		"a list":                 {`{"name":["a"]}`, "1!not_flat"},
		"a field twice":          {`{"name":"a","姓名":"b"}`, "1!duplicate_column"},
		"half a surrogate":       {`{"name":"\ud800"}`, "1!bad_text"},
		"a NUL":                  {`{"name":"\u0000"}`, "1!bad_text"},
		"null and true":          {`{"name":null,"document_number":true}`, "1:|true|"},
		"a long number":          {`{"name":"a","document_number":110101199003070011}`, "1:a|110101199003070011|"},
		"beyond the BMP, escape": {`{"name":"\ud842\udfb7"}`, "1:𠮷||"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(write(t, "a.ndjson", c.line+"\n"+good), people...)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if diff := cmp.Diff([]string{c.want, "2:李四|2|"}, rows(t, f)); diff != "" {
				t.Error(diff)
			}
		})
	}
	f, err := Open(write(t, "a.ndjson", good+`{"name":"李`), people...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1:李四|2|", "2!cut_line"}, rows(t, f)); diff != "" {
		t.Error(diff)
	}
}

func TestTheDigestFollowsTheContentOnly(t *testing.T) {
	digest := func(name, content string) [32]byte {
		f, err := Open(write(t, name, content))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return f.Digest()
	}
	big := plainCSV + strings.Repeat("x,1,1\n", 400_000)
	if digest("a.csv", plainCSV) != digest("b.csv", plainCSV) {
		t.Error("the name changes the digest")
	}
	if digest("a.csv", big) == digest("a.csv", big[:len(big)-3]+"2,2") || digest("a.csv", big) == digest("a.csv", "m"+big[1:]) {
		t.Error("a changed byte leaves the digest")
	}
}

func FuzzFilesNeverPanicAndEveryRowHasFieldsOrAProblem(f *testing.F) {
	f.Add("a.csv", []byte(plainCSV))
	f.Add("a.ndjson", []byte(`{"name":"李"}`+"\n"))
	f.Add("a.csv", []byte("name,document_number\n\"a\nb\",1\n\"x"))
	f.Add("a.csv", []byte("\xef\xbb\xbfname,document_number\n\xd5\xc5\xc8\xfd,1\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		path := filepath.Join(dir, "a.csv")
		if strings.HasSuffix(name, "json") {
			path = filepath.Join(dir, "a.ndjson")
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := Open(path, people...)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatal(err)
			}
			return
		}
		defer file.Close()
		rejects, err := file.NewRejects("")
		if err != nil {
			t.Fatal(err)
		}
		last := 0
		for {
			r, err := file.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if (r.Problem == "") == (r.Fields == nil) || r.Number <= last {
				t.Fatalf("row %d after %d, problem %q, fields %v", r.Number, last, r.Problem, r.Fields)
			}
			last = r.Number
			rejects.Add(r, "test")
		}
		if err := rejects.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
