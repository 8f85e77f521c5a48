package fault

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"image/jpeg"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite" // for unsealed copies

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/demo"
	"github.com/citycode/citycode/internal/idnum"
	"github.com/citycode/citycode/internal/person"
)

// residents are all who live in a demo's city of that size.
func residents(n int) []person.Record {
	var all []person.Record
	for _, p := range demo.Personas() {
		all = append(all, p.Record)
	}
	people, _ := demo.People(n, time.Time{})
	return append(all, people...)
}

// citySize is how many residents are looked for: all of an ordinary demo in
// `make fault`.
func citySize() int {
	if os.Getenv("CITYCODE_FAULT_KILLS") != "" {
		return 10_000
	}
	return 300
}

// newcomers are people that the test imports, each with a photo.
func newcomers() []person.Record {
	var all []person.Record
	for i := range 20 {
		first := fmt.Sprintf("31000019700203%03d", i)
		all = append(all, person.Record{
			Name: "欧阳" + string(rune('丁'+i)) + "某", Document: idnum.Document{Kind: idnum.ResidentID, Number: first + string(idnum.CheckDigit(first))},
			Phone: fmt.Sprintf("138%08d", 12345000+i), BirthDate: "1970-02-03", Photo: demo.Portrait(uint64(7000 + i)),
		})
	}
	return all
}

// rejected are rows that an import refuses: theirs is personal data, too.
func rejected() []person.Record {
	return []person.Record{
		{Name: "拓跋拒绝", Document: idnum.Document{Kind: idnum.ResidentID, Number: "310000197002039999"}, Phone: "13912345999", BirthDate: "1970-02-03"},
		{Name: "拓跋日期", Document: idnum.Document{Kind: idnum.Passport, Number: "SMQ7654321"}, Phone: "13912345998", BirthDate: "1899-02-30"},
	}
}

// peopleFile writes people as a department would hand them in.
func peopleFile(t *testing.T, people []person.Record) string {
	t.Helper()
	dir := t.TempDir()
	var text strings.Builder
	text.WriteString("name,document_kind,document_number,phone,birth_date,photo\n")
	for i, p := range people {
		photo := ""
		if p.Photo != nil {
			photo = fmt.Sprintf("%d.jpg", i)
			if err := os.WriteFile(filepath.Join(dir, photo), p.Photo, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintf(&text, "%s,%s,%s,%s,%s,%s\n", p.Name, p.Document.Kind, p.Document.Number, p.Phone, p.BirthDate, photo)
	}
	file := filepath.Join(dir, "people.csv")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// statusFile writes the colours of people.
func statusFile(t *testing.T, people []person.Record, color, reason string) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("document_kind,document_number,scheme,color,reason_code\n")
	for _, p := range people {
		fmt.Fprintf(&text, "%s,%s,health,%s,%s\n", p.Document.Kind, p.Document.Number, color, reason)
	}
	file := filepath.Join(t.TempDir(), "status.csv")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// exercise does what people do, and what they shouldn't: scanned texts and
// requests full of personal data. It returns the codes and tokens that must not
// be found either.
func exercise(t *testing.T, s *process) []secret {
	t.Helper()
	var handed []secret
	verifier := s.signIn("verifier")
	handed = append(handed, secret{what: "the verifier's token", text: verifier.token})
	for _, p := range demo.Personas() {
		c := s.signIn(p.Name)
		code := c.show()
		handed = append(handed, secret{what: "a token of " + p.Name, text: c.token}, secret{what: "a code of " + p.Name, text: code})
		verifier.scan(code, "Idempotency-Key", uuid.NewString())
		body := scanOf(code)
		body["scene"] = "id-check"
		var v verification
		verifier.must(http.StatusOK, http.MethodPost, "/v1/verifications", body, &v)
		photo := verifier.call(t.Context(), http.MethodGet, "/v1/verifications/"+v.ID+"/photo", nil)
		if photo.status != http.StatusOK {
			t.Fatalf("photo: %s", photo)
		}
		handed = append(handed, pieceOf(t, p.Name, photo.raw))
		for _, path := range []string{"/v1/me", "/v1/me/looks", "/v1/me/status"} {
			c.must(http.StatusOK, http.MethodGet, path, nil, nil)
		}
		r := p.Record
		for _, text := range []string{r.Name, r.Document.Number, r.Phone, r.BirthDate, r.Name + "," + r.Document.Number, `{"name":"` + r.Name + `","phone":"` + r.Phone + `"}`} {
			verifier.scan(text)
		}
		for _, odd := range []struct {
			method, path string
			body         any
			header       []string
		}{
			{"GET", "/v1/me?name=" + url.QueryEscape(r.Name), nil, nil},
			{"GET", "/v1/" + r.Document.Number, nil, nil},
			{"GET", "/" + url.PathEscape(r.Name), nil, nil},
			{"GET", "/v1/verifications/" + r.Document.Number, nil, nil},
			{"GET", "/v1/verifications?cursor=" + r.Phone, nil, nil},
			{"POST", "/v1/verifications", map[string]any{"text": r.Name, "scene": r.Document.Number}, nil},
			{"POST", "/v1/verifications", map[string]any{r.Name: r.Phone}, nil},
			{"POST", "/v1/verifications", scanOf(code), []string{"Idempotency-Key", r.Document.Number}},
			{"POST", "/v1/codes", map[string]any{"relative_id": r.Document.Number}, nil},
			{"POST", "/v1/sessions/refresh", map[string]any{"refresh_token": r.Name + r.Phone}, nil},
			{"POST", "/v1/demo/sessions", map[string]any{"persona": r.Name}, nil},
			{"GET", "/v1/me", nil, []string{"Authorization", "Bearer " + r.Document.Number, "User-Agent", r.Phone}},
		} {
			if a := verifier.call(t.Context(), odd.method, odd.path, odd.body, odd.header...); a.status >= 500 || a.err != nil {
				t.Errorf("%s %s: %s", odd.method, odd.path, a)
			}
		}
	}
	return handed
}

// pieceOf takes 32 bytes out of a photo's middle: they are compressed picture,
// which two photos don't share.
func pieceOf(t *testing.T, whose string, photo []byte) secret {
	t.Helper()
	if _, err := jpeg.Decode(bytes.NewReader(photo)); err != nil {
		t.Fatalf("photo of %s: %v", whose, err)
	}
	middle := len(photo) / 2
	return secret{what: "photo of " + whose, text: string(photo[middle : middle+32])}
}

// dump is the database as pg_dump writes it, person keys included.
func dump(t *testing.T, database string) []byte {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	schema := q.Get("search_path")
	q.Del("search_path")
	u.RawQuery = q.Encode()
	cmd := exec.CommandContext(t.Context(), "pg_dump", "--dbname="+u.String(), "--schema="+schema, "--schema="+schema+"_person_keys")
	var said bytes.Buffer
	cmd.Stderr = &said
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("pg_dump (run scripts/setup): %v %s", err, said.String())
	}
	return text
}

// unsealed writes people in clear into a folder: SQLite databases of all three
// encodings whose rows are still in the log, and a file as an import has it.
func unsealed(t *testing.T, people []person.Record) string {
	t.Helper()
	dir := t.TempDir()
	for _, encoding := range []string{"UTF-8", "UTF-16le", "UTF-16be"} {
		d, err := sql.Open("sqlite", filepath.Join(dir, encoding+".db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		d.SetMaxOpenConns(1)
		for _, s := range []string{"pragma encoding = '" + encoding + "'", "pragma journal_mode = wal", "pragma wal_autocheckpoint = 0",
			"create table person (name text, number text, phone text, birth_date text, short_date text)"} {
			if _, err := d.Exec(s); err != nil {
				t.Fatal(err)
			}
		}
		tx, err := d.Begin()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range people {
			if _, err := tx.Exec("insert into person values (?, ?, ?, ?, ?)", p.Name, p.Document.Number+"/"+strings.ToLower(p.Document.Number), p.Phone, p.BirthDate,
				strings.ReplaceAll(p.BirthDate, "-", "")); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(dir, encoding+".db-wal")); err != nil || info.Size() == 0 {
			t.Fatalf("the rows are not in the log: %v", err)
		}
	}
	return dir
}

func TestTheSearchFindsWhatIsNotSealed(t *testing.T) {
	t.Parallel()
	people := append(residents(citySize()), newcomers()...)
	s := newSearcher(secretsOf(people))
	var files [][]byte
	dir := unsealed(t, people)
	paths, err := filepath.Glob(filepath.Join(dir, "*-wal"))
	if err != nil || len(paths) != 3 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
	}
	if missing := s.missing(files, "UTF-8", "UTF-16LE", "UTF-16BE"); len(missing) > 0 {
		t.Errorf("%d of %d patterns not found in an unsealed database, the first: %s", len(missing), len(s.patterns), missing[0])
	}

	p := empty(t, db.PostgreSQL)
	pair := p.open(t)
	err = pair.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
		if _, err := q.Exec(ctx, "create table unsealed (text text, utf8 bytea, little bytea, big bytea)"); err != nil {
			return err
		}
		var texts []string
		var forms [3][][]byte
		for _, x := range secretsOf(people) {
			texts = append(texts, x.text)
			for i, e := range encodings()[:3] {
				forms[i] = append(forms[i], e.bytes(x.text))
			}
		}
		_, err := q.Exec(ctx, "insert into unsealed (text, utf8, little, big) select * from unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[])", texts, forms[0], forms[1], forms[2])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if missing := s.missing([][]byte{dump(t, p.url)}, "UTF-8", "UTF-8 in hexadecimal", "UTF-16LE in hexadecimal", "UTF-16BE in hexadecimal"); len(missing) > 0 {
		t.Errorf("%d of %d patterns not found in an unsealed dump, the first: %s", len(missing), len(s.patterns), missing[0])
	}
}

func TestNothingThatIsWrittenShowsAPerson(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		size := citySize()
		people, temporary := newcomers(), t.TempDir()
		secrets := secretsOf(append(append(residents(size), people...), rejected()...))
		for i, n := range people {
			secrets = append(secrets, pieceOf(t, fmt.Sprint("newcomer ", i), n.Photo))
		}
		var logs strings.Builder
		start := func() *process {
			s := launchAs(t, nil, []string{"TMPDIR=" + temporary}, p.demo("--people", fmt.Sprint(size), "--log-level", "debug")...)
			s.listening()
			s.ready()
			return s
		}
		commands := func() {
			all := append(slices.Clone(people), rejected()...)
			for _, args := range [][]string{
				append(p.at("import", "people"), "--log-level", "debug", peopleFile(t, all)),
				append(p.at("import", "status"), "--log-level", "debug", statusFile(t, append(residents(20), rejected()...), "yellow", "close_contact")),
				p.at("key", "rotate", "--ring", "session"),
				p.at("key", "list"), p.at("audit", "verify"),
			} {
				r := succeed(t, args...)
				logs.WriteString(r.out + r.err)
			}
		}
		var secretsHanded []secret
		check := func(when string) {
			s := newSearcher(append(slices.Clone(secrets), secretsHanded...))
			files, bytes := s.folders(t, when, p.dir, temporary)
			if p.url != "" {
				text := dump(t, p.url)
				bytes += int64(len(text))
				for _, f := range s.finds("the dump", text) {
					t.Errorf("%s: %s", when, f)
				}
			}
			for _, f := range s.finds("the logs", []byte(logs.String())) {
				t.Errorf("%s: %s", when, f)
			}
			t.Logf("%s: %d patterns in %d files, %d bytes, and %d bytes of logs", when, len(s.patterns), files, bytes, logs.Len())
		}

		s := start()
		secretsHanded = exercise(t, s)
		commands()
		s.stop()
		logs.WriteString(s.log.String())
		if found, err := filepath.Glob(filepath.Join(p.dir, "status-*.snap")); err != nil || len(found) == 0 {
			t.Errorf("no snapshot to be searched: %v %v", found, err)
		}
		check("after an orderly end")

		s = start()
		secretsHanded = append(secretsHanded, exercise(t, s)...)
		commands()
		if p.engine == db.SQLite {
			for _, name := range []string{"citycode.db", "citycode.db-wal", "citycode.db-shm", "person-keys.db"} {
				if info, err := os.Stat(filepath.Join(p.dir, name)); err != nil || info.Size() == 0 {
					t.Errorf("%s isn't there to be searched: %v", name, err)
				}
			}
		}
		logs.WriteString(s.log.String())
		check("while running")
		s.kill()
		logs.WriteString(s.log.String())
		check("after kill -9")
	})
}
