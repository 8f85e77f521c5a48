package person

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/keys"
)

func TestPeopleOfAFileAreImportedAndTheRestRejectedWithReasons(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := open(t, d, nil)
		path := file(t, header+
			"张三,resident_id,"+number("19900307", 1)+",154 0000 0001,1990-03-07,photos/a.jpg\n"+ // 2
			"李四,居民身份证,"+strings.ToLower(number("19900307", 3))+",,1990/3/7,\n"+ // 3
			"阿卜杜拉 • 买买提,passport,e1234567,+86 154-0000-0002,,\n"+ // 4
			"王五,resident_id,"+number("19900307", 5)[:17]+"?,,,\n"+ // 5
			"王五,resident_id,"+number("19900230", 5)+",,,\n"+ // 6
			"王五,student_card,1,,,\n"+ // 7
			",resident_id,"+number("19900307", 7)+",,,\n"+ // 8
			"王五,resident_id,"+number("19900307", 7)+",12,,\n"+ // 9
			"王五,resident_id,"+number("19900307", 7)+",,1990-03-08,\n"+ // 10
			"王五,passport,E7654321,,2990-03-08,\n"+ // 11
			"王五,resident_id,"+number("19900307", 7)+",,,none.jpg\n"+ // 12
			"王五,resident_id,"+number("19900307", 7)+",,,../people.csv\n"+ // 13
			"王五,resident_id,"+number("19900307", 7)+",,,people.csv\n"+ // 14
			"张三,resident_id,"+number("19900307", 1)+",15400000001,19900307,photos/a.jpg\n"+ // 15: as row 2
			"张散,resident_id,"+number("19900307", 1)+",15400000001,,photos/a.jpg\n"+ // 16: not so
			"王五,resident_id\n"+ // 17
			"赵六,resident_id,310108194906010016,,,\n"+ // 18: a county that is gone
			"王五,resident_id,3101") // 19: half a file
		if err := os.MkdirAll(filepath.Join(filepath.Dir(path), "photos"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), "photos", "a.jpg"), picture(t, 240, 320), 0o600); err != nil {
			t.Fatal(err)
		}
		gone := "31010819490601001"
		text, _ := os.ReadFile(path)
		text = []byte(strings.Replace(string(text), gone+"6", gone+string(idnum.CheckDigit(gone)), 1))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		want := ImportReport{
			Rows: 18, Created: 4, Unchanged: 1, Rejected: 13,
			Reasons: map[string]int{"invalid_id_number": 2, "unknown_document_kind": 1, "invalid_name": 1, "invalid_phone": 1, "birth_date_mismatch": 1,
				"invalid_birth_date": 1, "photo_not_found": 1, "photo_outside_folder": 1, "photo_not_jpeg": 1, "duplicate_row": 1, "too_few_columns": 1, "cut_line": 1},
			Notes:       map[string]int{"county_not_in_table": 1, "last_line_has_no_end": 1},
			RejectsFile: filepath.Join(filepath.Dir(path), "people.rejects.csv"),
		}
		if diff := cmp.Diff(want, c.importFile(t, path)); diff != "" {
			t.Error(diff)
		}
		rejects, err := os.ReadFile(want.RejectsFile)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(rejects), "\n")
		if lines[0]+"\n" != "row,reason,"+header || !strings.HasPrefix(lines[1], "5,invalid_id_number,王五,resident_id,") || !strings.HasPrefix(lines[13], "19,cut_line,") {
			t.Errorf("rejects:\n%s", rejects)
		}
		if info, _ := os.Stat(want.RejectsFile); info.Mode().Perm() != 0o600 {
			t.Errorf("rejects have mode %v", info.Mode())
		}

		// All that was said of them is there.
		id, err := c.Find(t.Context(), idnum.Document{Kind: idnum.Passport, Number: "E1234567"})
		if err != nil {
			t.Fatal(err)
		}
		if p, _ := c.Get(t.Context(), id); p.Name != "阿卜杜拉·买买提" || p.Phone != "15400000002" || p.BirthDate != "" {
			t.Errorf("%+v", p)
		}
		if id, err = c.Find(t.Context(), resident("19900307", 1)); err != nil {
			t.Fatal(err)
		}
		if p, _ := c.Get(t.Context(), id); p.Name != "张三" || p.Phone != "15400000001" || p.BirthDate != "1990-03-07" || !p.HasPhoto {
			t.Errorf("%+v", p)
		}

		// Once more: nothing changes, and the rejects are the same.
		want.Created, want.Unchanged = 0, 5
		if diff := cmp.Diff(want, c.importFile(t, path)); diff != "" {
			t.Error(diff)
		}
		if again, _ := os.ReadFile(want.RejectsFile); string(again) != string(rejects) {
			t.Error("the rejects of the second run differ")
		}
		count(t, d, map[string]int64{"person": 4, "person_index": 4, "person_photo": 1, "status": 4, "audit_entry where kind = 'import.end'": 2})
	})
}

func TestAColumnThatTheFileLacksLeavesWhatIsKnown(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := open(t, d, nil)
		c.importFile(t, file(t, header+"张三,passport,E1234567,15400000001,1990-03-07,\n李四,passport,E7654321,15400000002,,\n"))
		short := file(t, "name,document_kind,document_number\n张三,passport,E1234567\n李思,passport,E7654321\n")
		for round, want := range []ImportReport{{Rows: 2, Updated: 1, Unchanged: 1}, {Rows: 2, Unchanged: 2}} {
			got := c.importFile(t, short)
			if got.Updated != want.Updated || got.Unchanged != want.Unchanged {
				t.Errorf("round %d: %+v", round, got)
			}
		}
		for number, want := range map[string]Person{"E1234567": {Name: "张三", Phone: "15400000001", BirthDate: "1990-03-07"}, "E7654321": {Name: "李思", Phone: "15400000002"}} {
			id, err := c.Find(t.Context(), idnum.Document{Kind: idnum.Passport, Number: number})
			if err != nil {
				t.Fatal(err)
			}
			if p, err := c.Get(t.Context(), id); err != nil || p.Name != want.Name || p.Phone != want.Phone || p.BirthDate != want.BirthDate {
				t.Errorf("%+v %v", p, err)
			}
		}
		// An empty cell of a column that is there takes the value away.
		c.importFile(t, file(t, header+"张三,passport,E1234567,,,\n"))
		id, _ := c.Find(t.Context(), idnum.Document{Kind: idnum.Passport, Number: "E1234567"})
		if p, _ := c.Get(t.Context(), id); p.Phone != "" || p.BirthDate != "" {
			t.Errorf("%+v", p)
		}
	})
}

func TestFilesInGBKAreImportedAlike(t *testing.T) {
	c := open(t, dbtest.Open(t, db.SQLite), nil)
	text, err := simplifiedchinese.GBK.NewEncoder().String("姓名,证件类型,身份证号\n赵一曼,身份证," + number("19050101", 1) + "\n")
	if err != nil {
		t.Fatal(err)
	}
	for mark, text := range map[string]string{"": text, "\ufeff": "\ufeff" + text} {
		r := c.importFile(t, file(t, text))
		if r.Created+r.Unchanged != 1 || r.Notes["read_as_gb18030"] != 1 {
			t.Errorf("mark %q: %+v", mark, r)
		}
	}
	id, err := c.Find(t.Context(), resident("19050101", 1))
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := c.Get(t.Context(), id); p.Name != "赵一曼" || p.BirthDate != "1905-01-01" {
		t.Errorf("%+v", p)
	}
}

func TestSamplesAreTakenInTheDemoOnly(t *testing.T) {
	c := open(t, dbtest.Open(t, db.SQLite), nil)
	c.cfg.AllowSample = false
	r := c.importFile(t, file(t, header+"张三,resident_id,"+number("19900307", 1)+",,,\n"))
	if r.Rejected != 1 || r.Reasons["invalid_id_number"] != 1 {
		t.Errorf("%+v", r)
	}
}

func TestProgressEndsAtTheNumberOfRows(t *testing.T) {
	c := open(t, dbtest.Open(t, db.SQLite), nil)
	var steps [][2]int64
	_, err := c.Import(t.Context(), file(t, crowd(2300)), ImportOptions{Progress: func(done, total int64) { steps = append(steps, [2]int64{done, total}) }})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][2]int64{{1000, 2300}, {2000, 2300}, {2300, 2300}}, steps); diff != "" {
		t.Error(diff)
	}
}

func TestAnImportStoppedHalfwayIsTakenUpWhereItWas(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		c := open(t, d, nil)
		path := file(t, crowd(2500)+"王五,resident_id,1,,,\n")
		stop := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		r, err := c.Import(ctx, path, ImportOptions{Progress: func(int64, int64) { cancel(stop) }})
		if err == nil || r.Rows != 1000 || r.Created != 1000 {
			t.Fatalf("%+v %v", r, err)
		}
		got := c.importFile(t, path)
		want := ImportReport{Rows: 2501, Created: 1500, Unchanged: 1000, Resumed: 1000, Rejected: 1,
			Reasons: map[string]int{"invalid_id_number": 1}, Notes: map[string]int{}, RejectsFile: filepath.Join(filepath.Dir(path), "people.rejects.csv")}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}

		// Stopped again, but another file came in between: it starts anew.
		ctx, cancel = context.WithCancelCause(t.Context())
		if _, err := c.Import(ctx, path, ImportOptions{Progress: func(int64, int64) { cancel(stop) }}); err == nil {
			t.Fatal("not stopped")
		}
		c.importFile(t, file(t, header+"甲乙,resident_id,"+number("19500102", 0)+",,,\n"))
		got = c.importFile(t, path)
		if got.Resumed != 0 || got.Updated != 1 || got.Unchanged != 2499 {
			t.Errorf("%+v", got)
		}
		count(t, d, map[string]int64{"person": 2500, "person_index": 2500, "status": 2500})
	})
}

// childEnv tells a test process that it is to be the victim: folder, URL and
// file of people.
const childEnv = "CITYCODE_TEST_IMPORT"

func TestAnImportKilledAtAnyMomentLeavesNothingHalfDone(t *testing.T) {
	if env := os.Getenv(childEnv); env != "" {
		importUntilKilled(t, strings.Split(env, "|"))
		return
	}
	dbtest.Each(t, func(t *testing.T, d *dbtest.Pair) {
		const people = 8000
		path := file(t, crowd(people))
		keyPath := filepath.Join(t.TempDir(), "key")
		key, err := keys.CreateFile(keyPath)
		if err != nil {
			t.Fatal(err)
		}
		open(t, d, key)
		least := int64(0)
		for round := range 3 {
			killImport(t, d.Dir+"|"+d.URL+"|"+path+"|"+keyPath)
			least += 1000
			var people, links, statuses, done int64
			err := d.Main.Snapshot(t.Context(), func(ctx context.Context, q db.Querier) error {
				return q.QueryRow(ctx, `select (select count(*) from person), (select count(*) from person_index), (select count(*) from status), (select max(done_rows) from import_job)`).Scan(&people, &links, &statuses, &done)
			})
			if err != nil || people != links || people != statuses || people != done || people%1000 != 0 || people < least {
				t.Fatalf("round %d: %d people, %d links, %d statuses, %d rows done (%v)", round, people, links, statuses, done, err)
			}
		}
		c := open(t, d, key)
		r := c.importFile(t, path)
		if r.Rows != people || r.Created+r.Resumed != people || r.Resumed < int(least) || r.Updated+r.Rejected != 0 {
			t.Errorf("%+v", r)
		}
		for _, row := range []int{0, 999, 1000, people - 1} {
			id, err := c.Find(t.Context(), crowdDocument(row))
			if err != nil {
				t.Fatalf("row %d: %v", row, err)
			}
			if _, err := c.Get(t.Context(), id); err != nil {
				t.Errorf("row %d: %v", row, err)
			}
		}
	})
}

// killImport starts a process that imports, and kills it while it writes the
// chunk after its first.
func killImport(t *testing.T, env string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestAnImportKilledAtAnyMomentLeavesNothingHalfDone$")
	cmd.Env = append(os.Environ(), childEnv+"="+env)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, said := bufio.NewScanner(out), []string(nil)
	for lines.Scan() && lines.Text() != firstChunk {
		said = append(said, lines.Text())
	}
	alive := lines.Text() == firstChunk
	cmd.Process.Kill()
	cmd.Wait()
	if !alive {
		t.Fatalf("the importing process ended by itself: %q", said)
	}
}

const firstChunk = "chunk written"

func importUntilKilled(t *testing.T, env []string) {
	key, err := keys.LoadFile(env[3])
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, dbtest.OpenAt(t, env[0], env[1]), key)
	position := func() (done int64) {
		err := c.cfg.DB.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
			return q.QueryRow(ctx, `select coalesce(max(done_rows), 0) from import_job`).Scan(&done)
		})
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	before := position()
	_, err = c.Import(t.Context(), env[2], ImportOptions{Progress: func(int64, int64) {
		switch position() - before {
		case 0: // a chunk that an earlier run had written
		case 1000:
			os.Stdout.WriteString(firstChunk + "\n")
		default:
			select {} // the kill is late; however late, it finds the import unfinished
		}
	}})
	t.Fatalf("the import came to its end: %v", err)
}

func TestFilesThatCannotBeReadChangeNothing(t *testing.T) {
	c := open(t, dbtest.Open(t, db.SQLite), nil)
	for name, content := range map[string]string{
		"no header":    "张三,resident_id,1\n",
		"UTF-16":       "\xff\xfen\x00a\x00",
		"Latin-1":      "name,document_kind,document_number\nM\xfcller,passport,E1234567\n",
		"no such file": "",
	} {
		path := file(t, content)
		if content == "" {
			os.Remove(path)
		}
		_, err := c.Import(t.Context(), path, ImportOptions{})
		if k := fault.KindOf(err); k != fault.Invalid && k != fault.NotFound {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), "people.rejects.csv")); err == nil {
			t.Errorf("%s: a file of rejects", name)
		}
	}
}

// BenchmarkImport tells the time of one person of a file, on SQLite.
func BenchmarkImport(b *testing.B) {
	c := open(b, dbtest.Open(b, db.SQLite), nil)
	path := file(b, crowd(b.N))
	b.ResetTimer()
	if r := c.importFile(b, path); r.Created != b.N {
		b.Fatalf("%+v", r)
	}
}
