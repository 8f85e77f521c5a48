package fault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait: long enough for a machine that is busy with other
// things.
const patience = 60 * time.Second

// program is the binary under test, built from these sources; commandTemporary
// is where its commands may keep temporary files.
var program, commandTemporary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "citycode-fault-")
	if err == nil {
		program = filepath.Join(dir, "citycode")
		err = build(program)
	}
	// Commands get a folder for temporary files in which they must leave none.
	temporary := filepath.Join(dir, "tmp")
	if err == nil {
		err = os.Mkdir(temporary, 0o700)
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		commandTemporary = temporary
		code = m.Run()
		if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
			fmt.Fprintln(os.Stderr, "FAIL: commands left temporary files:", left, err)
			code = 1
		}
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func build(file string) error {
	cmd := exec.Command("go", "build", "-o", file, "github.com/citycode/citycode/cmd/citycode")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// process is a running citycode.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	pid  int
	log  *logged
	url  string        // once listening
	done chan struct{} // closed when it has ended
	exit int           // then
}

// logged keeps what a process writes and tells whoever waits for a line.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed and replaced at each write
}

func newLogged() *logged { return &logged{more: make(chan struct{})} }

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) find(re *regexp.Regexp) ([]string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return re.FindStringSubmatch(l.text.String()), l.more
}

// environment is this process's without settings for citycode.
func environment(more ...string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CITYCODE_") {
			env = append(env, v)
		}
	}
	return append(env, more...)
}

// launch starts a server and returns at once.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	return launchAs(t, nil, nil, args...)
}

// launchAs starts citycode under another program (with its arguments first) and
// with more variables.
func launchAs(t *testing.T, under, env []string, args ...string) *process {
	t.Helper()
	argv := append(append(append([]string{}, under...), program), args...)
	p := &process{t: t, log: newLogged(), done: make(chan struct{}), cmd: exec.Command(argv[0], argv[1:]...)}
	p.cmd.Env = environment(env...)
	p.cmd.Stderr = p.log
	dieWithTest(p.cmd)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.pid = p.cmd.Process.Pid
	go func() {
		_ = p.cmd.Wait() // the exit status says it
		p.exit = p.cmd.ProcessState.ExitCode()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(p.pid, syscall.SIGKILL)
		p.wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", strings.Join(args, " "), tail(p.log.String(), 40))
		}
	})
	return p
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// serving starts a server and waits until it is ready.
func serving(t *testing.T, args ...string) *process {
	t.Helper()
	p := launch(t, args...)
	p.listening()
	p.ready()
	return p
}

// said waits for a line in the log.
func (p *process) said(expression string) []string {
	p.t.Helper()
	re, over := regexp.MustCompile(expression), time.After(patience)
	for {
		found, more := p.log.find(re)
		if found != nil {
			return found
		}
		select {
		case <-more:
		case <-p.done:
			if found, _ := p.log.find(re); found != nil {
				return found
			}
			p.t.Fatalf("ended with %d before it said %q:\n%s", p.exit, expression, tail(p.log.String(), 20))
		case <-over:
			p.t.Fatalf("did not say %q:\n%s", expression, tail(p.log.String(), 20))
		}
	}
}

// listening waits until the address is known.
func (p *process) listening() {
	p.t.Helper()
	found := p.said(`citycode demo: (https?)://(\S+)|msg=listening address=(\S+)`)
	p.url = "http://" + found[2] + found[3]
}

func (p *process) readyz() (int, error) {
	resp, err := http.Get(p.url + "/readyz")
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

func (p *process) ready() {
	p.t.Helper()
	until(p.t, "ready", func() bool {
		select {
		case <-p.done:
			p.t.Fatalf("ended with %d before it was ready:\n%s", p.exit, tail(p.log.String(), 20))
		default:
		}
		status, err := p.readyz()
		return err == nil && status == http.StatusOK
	})
}

// wait returns the exit status.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("did not end:\n%s", tail(p.log.String(), 20))
	}
	return p.exit
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(p.pid, s); err != nil {
		p.t.Fatal(err)
	}
}

// kill is kill -9.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	p.wait()
}

// stop is what systemd does; the exit status must be 0.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != 0 {
		p.t.Fatalf("exit status %d after SIGTERM:\n%s", code, tail(p.log.String(), 20))
	}
}

// until waits for something that happens by itself.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not %s after %v", what, patience)
		}
	}
}

// result is what a command left.
type result struct {
	exit     int
	out, err string
}

func (r result) String() string { return fmt.Sprintf("exit %d\n%s%s", r.exit, r.out, r.err) }

// command runs citycode to its end.
func command(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var out, notes bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = environment("TMPDIR="+commandTemporary), &out, &notes
	dieWithTest(cmd)
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatalf("%v: %v", args, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%v did not end", args)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), notes.String()}
}

// succeed is command for one that must.
func succeed(t *testing.T, args ...string) result {
	t.Helper()
	r := command(t, args...)
	if r.exit != 0 {
		t.Fatalf("citycode %s: %s", strings.Join(args, " "), r)
	}
	return r
}

// refuse is command for one that must fail with the words.
func refuse(t *testing.T, words string, args ...string) {
	t.Helper()
	if r := command(t, args...); r.exit != 1 || !strings.Contains(r.err, words) {
		t.Errorf("citycode %s: %s\nwant exit 1 and %q", strings.Join(args, " "), r, words)
	}
}

func onLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux")
	}
}
