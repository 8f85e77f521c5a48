package fault

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/scan"
)

// A trace is what strace -f -y -xx wrote: every system call that may bring data
// to a file or an answer to a socket, in the order in which they began and
// ended.
type traced struct {
	name       string
	file       string // path or socket of the descriptor
	data       []byte // all that was to be written
	begin, end int    // lines
	failed     bool
}

var (
	callLine    = regexp.MustCompile(`^(\d+)\s+(\w+)\((\d+)<([^>]*)>(.*)$`)
	resumedLine = regexp.MustCompile(`^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$`)
	resultPart  = regexp.MustCompile(`\)\s+= (-?\d+)`)
	quoted      = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"`)
)

func unhex(text string) []byte {
	b, _ := hex.DecodeString(strings.ReplaceAll(text, `\x`, "")) // the pattern lets nothing else through
	return b
}

func readTrace(r io.Reader) ([]*traced, error) {
	var calls []*traced
	open := map[string]*traced{} // by thread
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if m := resumedLine.FindStringSubmatch(line); m != nil {
			c := open[m[1]]
			if c == nil || c.name != m[2] {
				continue // a call that isn't looked at
			}
			delete(open, m[1])
			c.end, c.failed = n, failed(m[3])
			continue
		}
		m := callLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		c := &traced{name: m[2], file: m[4], begin: n}
		if strings.HasPrefix(c.file, `\x`) {
			c.file = string(unhex(c.file))
		}
		for _, q := range quoted.FindAllStringSubmatch(m[5], -1) { // writev has several
			c.data = append(c.data, unhex(q[1])...)
		}
		calls = append(calls, c)
		if strings.HasSuffix(line, "<unfinished ...>") {
			open[m[1]] = c
		} else {
			c.end, c.failed = n, failed(m[5])
		}
	}
	return calls, lines.Err()
}

func failed(rest string) bool {
	m := resultPart.FindStringSubmatch(rest)
	return m == nil || strings.HasPrefix(m[1], "-")
}

func (c *traced) syncs() bool { return c.name == "fsync" || c.name == "fdatasync" }

// judgeSyncs says whether the scan's record was synced to the log before its
// answer left: a sync of the log that began after the last write of the
// scan's transaction and ended before the answer began. Later transactions
// write pages that hold the scan again; they don't count.
func judgeSyncs(calls []*traced, id scan.ID) error {
	var written, answered *traced
	found, commits := false, false
	for _, c := range calls {
		switch {
		case c.syncs():
		case strings.HasPrefix(c.file, "socket:") || strings.HasPrefix(c.file, "TCP"):
			if answered == nil && bytes.Contains(c.data, []byte(`"id":"`+id.String()+`"`)) {
				answered = c
			}
		case !strings.HasSuffix(c.file, "citycode.db-wal") || written != nil:
		case len(c.data) == frameHeader:
			commits = binary.BigEndian.Uint32(c.data[4:8]) != 0
		default: // a page
			found = found || bytes.Contains(c.data, id[:])
			if found && commits {
				written = c
			}
		}
	}
	if answered == nil {
		return fmt.Errorf("scan %s: no answer in the trace", id)
	}
	if written == nil || written.failed || written.begin > answered.begin {
		return fmt.Errorf("scan %s: answered in line %d without a commit in the log before", id, answered.begin)
	}
	for _, c := range calls {
		if c.syncs() && c.file == written.file && c.begin > written.end && c.end != 0 && c.end < answered.begin && !c.failed {
			return nil
		}
	}
	return fmt.Errorf("scan %s: committed in line %d, answered in line %d, not synced between", id, written.begin, answered.begin)
}

// frameHeader is what SQLite writes to the log before each page; bytes 4 to 7
// aren't zero in the last frame of a transaction
// (https://www.sqlite.org/fileformat2.html, section 4.1).
const frameHeader = 24

func TestSyncJudgeTellsGoodTracesFromBad(t *testing.T) {
	id, err := scan.ParseID("06h05788bpo74ri2gdoo1sv858")
	if err != nil {
		t.Fatal(err)
	}
	hexed := func(b []byte) string {
		var s strings.Builder
		for _, c := range b {
			fmt.Fprintf(&s, `\x%02x`, c)
		}
		return s.String()
	}
	wal, other := hexed([]byte("/d/citycode.db-wal")), hexed([]byte("/d/person-keys.db-wal"))
	header := func(size byte) string {
		return fmt.Sprintf(`7 pwrite64(9<%s>, "%s", 24, 0) = 24`, wal, hexed(append([]byte{0, 0, 0, 1, 0, 0, 0, size}, make([]byte, 16)...)))
	}
	page := fmt.Sprintf(`7 pwrite64(9<%s>, "%s", 16, 24) = 16`, wal, hexed(id[:]))
	begins := strings.Replace(page, ") = 16", " <unfinished ...>", 1)
	blank := fmt.Sprintf(`7 pwrite64(9<%s>, "%s", 8, 24) = 8`, wal, hexed(make([]byte, 8)))
	last, first := header(5), header(0) // frames of a transaction
	answer := fmt.Sprintf(`8 write(11<%s>, "%s", 40) = 40`, hexed([]byte("socket:[77]")), hexed([]byte(`{"id":"`+id.String()+`"`)))
	syncOf := func(file string) string { return "7 fsync(9<" + file + ">) = 0" }
	for _, c := range []struct {
		name  string
		lines []string
		good  bool
	}{
		{"synced in between", []string{last, page, syncOf(wal), answer}, true},
		{"fdatasync will do", []string{last, page, strings.Replace(syncOf(wal), "fsync", "fdatasync", 1), answer}, true},
		{"a transaction of two pages", []string{first, page, last, blank, syncOf(wal), answer}, true},
		{"a sync that began and ended in time", []string{last, page, "7 fsync(9<" + wal + "> <unfinished ...>", "7 <... fsync resumed>) = 0", answer}, true},
		{"a later transaction on the same page", []string{last, page, syncOf(wal), last, page, answer, syncOf(wal)}, true},
		{"not synced", []string{last, page, answer}, false},
		{"synced too early", []string{syncOf(wal), last, page, answer}, false},
		{"synced before the commit", []string{first, page, syncOf(wal), last, blank, answer}, false},
		{"synced too late", []string{last, page, answer, syncOf(wal)}, false},
		{"another file synced", []string{last, page, syncOf(other), answer}, false},
		{"a sync that failed", []string{last, page, "7 fsync(9<" + wal + ">) = -1 EIO (Input/output error)", answer}, false},
		{"a sync that wasn't over", []string{last, page, "7 fsync(9<" + wal + "> <unfinished ...>", answer, "7 <... fsync resumed>) = 0"}, false},
		{"a sync that began before the write was over", []string{last, begins, "6 fsync(9<" + wal + ">) = 0", "7 <... pwrite64 resumed>) = 16", answer}, false},
		{"never committed", []string{first, page, syncOf(wal), answer}, false},
		{"never written", []string{syncOf(wal), answer}, false},
		{"written after the answer", []string{answer, last, page, syncOf(wal)}, false},
		{"never answered", []string{last, page, syncOf(wal)}, false},
	} {
		calls, err := readTrace(strings.NewReader(strings.Join(c.lines, "\n")))
		if err != nil {
			t.Fatal(err)
		}
		if err := judgeSyncs(calls, id); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// straced starts a demo under strace, or says why that can't be done here.
func straced(t *testing.T, p place, output string) *process {
	t.Helper()
	refused := t.Skipf
	if os.Getenv("CITYCODE_FAULT_KILLS") != "" {
		refused = t.Fatalf
	}
	if _, err := exec.LookPath("strace"); err != nil {
		refused("strace isn't installed: run scripts/setup")
	}
	if out, err := exec.Command("strace", "-f", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		refused("this machine doesn't let processes be traced: %v %s", err, out)
	}
	under := []string{"strace", "-f", "-y", "-xx", "-s", "100000", "-o", output,
		"-e", "trace=write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,fsync,fdatasync",
		"sh", "-c", `echo "pid=$$" >&2; exec "$@"`, "sh"}
	s := launchAs(t, under, nil, p.demo("--people", "0")...)
	pid, err := strconv.Atoi(s.said(`(?m)^pid=(\d+)$`)[1])
	if err != nil {
		t.Fatal(err)
	}
	s.pid = pid
	s.listening()
	s.ready()
	return s
}

func TestNoAnswerLeavesBeforeTheSyncThatCoversIt(t *testing.T) {
	onLinux(t)
	t.Parallel()
	p := empty(t, db.SQLite)
	output := filepath.Join(t.TempDir(), "trace")
	s := straced(t, p, output)
	verifier := s.signIn("verifier")
	text := verifier.show()
	var ids []string
	for range 12 {
		ids = append(ids, verifier.scan(text).ID)
	}
	// And in batches: eight at once, five times.
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range 8 {
		wg.Go(func() {
			for range 5 {
				var v verification
				a := verifier.call(t.Context(), "POST", "/v1/verifications", scanOf(text))
				if err := a.into(&v); err != nil || v.ID == "" {
					t.Errorf("%s", a)
				}
				mu.Lock()
				ids = append(ids, v.ID)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	s.stop()

	f, err := os.Open(output)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	calls, err := readTrace(f)
	if err != nil {
		t.Fatal(err)
	}
	syncs := 0
	for _, c := range calls {
		if c.syncs() && strings.HasSuffix(c.file, "citycode.db-wal") {
			syncs++
		}
	}
	for _, text := range ids {
		id, err := scan.ParseID(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := judgeSyncs(calls, id); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d answers, each after its sync; %d syncs of the log in all", len(ids), syncs)
}

// On PostgreSQL the server does the syncing: one that wouldn't is refused.
func TestAServerThatDoesNotSyncIsRefused(t *testing.T) {
	t.Parallel()
	pg := dbtest.StartPostgres(t)
	p := place{engine: db.PostgreSQL, dir: filepath.Join(t.TempDir(), "data"), url: pg.URL}
	for _, off := range []string{"synchronous_commit", "fsync", "full_page_writes"} {
		set(t, pg.URL, off, "off")
		for _, args := range [][]string{p.demo(), p.serve(), p.at("key", "rotate"), p.at("migrate")} {
			refuse(t, off+" off", args...)
		}
		set(t, pg.URL, off, "on")
	}
	if entries, err := os.ReadDir(p.dir); err == nil && len(entries) > 0 {
		t.Errorf("a refused server left %v", entries)
	}
	succeed(t, p.at("migrate")...)
}
