package dbtest

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Postgres is a private cluster: one server, trusting whoever reaches its
// socket, which only this machine's users can.
type Postgres struct {
	URL string

	dir, bin string
	args     []string // how to run a program as the server's user
	stdin    io.Closer
	watchdog *exec.Cmd
}

// patience is for a machine that is busy with other things, not a limit that a
// test should come near.
const patience = 60 * time.Second

// StartPostgres starts a cluster of the test's own, for tests that stop it.
func StartPostgres(t testing.TB) *Postgres {
	t.Helper()
	p, err := NewPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Remove(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// NewPostgres makes and starts a cluster that lives until Remove or until this
// process ends.
func NewPostgres() (*Postgres, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	p := &Postgres{bin: bin}
	// The socket's path may have at most 107 bytes, so not under a long TMPDIR.
	if p.dir, err = os.MkdirTemp("/tmp", "citycode-pg-"); err != nil {
		return nil, err
	}
	if err := p.initialize(); err != nil {
		os.RemoveAll(p.dir)
		return nil, err
	}
	q := url.Values{"host": {p.dir}, "user": {"citycode"}, "sslmode": {"disable"}}
	p.URL = "postgres:///postgres?" + q.Encode()
	if err := p.start(); err != nil {
		os.RemoveAll(p.dir)
		return nil, err
	}
	return p, nil
}

func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("no PostgreSQL server under /usr/lib/postgresql: run scripts/setup, or apt-get install postgresql, or set CITYCODE_TEST_POSTGRES to the URL of a test server")
	}
	slices.SortFunc(found, func(a, b string) int { return majorVersion(b) - majorVersion(a) })
	return filepath.Dir(found[0]), nil
}

func majorVersion(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

func (p *Postgres) initialize() error {
	if os.Geteuid() == 0 { // the server refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			return fmt.Errorf("running as root without a user postgres: run scripts/setup: %w", err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(p.dir, uid, gid); err != nil {
			return err
		}
		p.args = []string{"setpriv", "--reuid", u.Uid, "--regid", u.Gid, "--clear-groups", "--"}
	}
	argv := append(slices.Clone(p.args), filepath.Join(p.bin, "initdb"), "-D", filepath.Join(p.dir, "data"),
		"-U", "citycode", "-A", "trust", "--locale=C", "--encoding=UTF8", "--no-sync")
	c := exec.Command(argv[0], argv[1:]...)
	c.Dir = p.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// watch runs the server and waits for its own input to end, which happens when
// this process closes the pipe or dies in whatever way. "keep" leaves the files.
const watch = `
dir=$1; shift
"$@" >>"$dir/log" 2>&1 </dev/null &
pid=$!
why=gone
read why
case $why in
  kill) kill -KILL $pid ;;
  *) kill -QUIT $pid ;;
esac
wait $pid
[ "$why" = gone ] || [ -z "$why" ] && rm -rf "$dir"
exit 0
`

func (p *Postgres) start() error {
	argv := append(slices.Clone(p.args), filepath.Join(p.bin, "postgres"), "-D", filepath.Join(p.dir, "data"),
		"-c", "listen_addresses=", "-c", "unix_socket_directories="+p.dir, "-c", "max_connections=200",
		"-c", "shared_buffers=32MB", "-c", "max_wal_size=512MB", "-c", "autovacuum_naptime=10s")
	c := exec.Command("sh", append([]string{"-c", watch, "sh", p.dir}, argv...)...)
	c.Dir = p.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	// A session of its own, so that ^C on the test doesn't end the watchdog first.
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := c.StdinPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	p.stdin, p.watchdog = in, c
	return p.await()
}

// await waits until the server takes connections.
func (p *Postgres) await() error {
	end := time.Now().Add(patience)
	for {
		c := exec.Command(filepath.Join(p.bin, "pg_isready"), "-q", "-h", p.dir, "-d", "postgres", "-U", "citycode")
		if c.Run() == nil {
			return nil
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
			return fmt.Errorf("PostgreSQL didn't start within %s:\n%s", patience, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Start starts the server again after Stop or Kill.
func (p *Postgres) Start() error { return p.start() }

// Stop ends the server at once, as for an administrator's immediate shut-down,
// and keeps its files.
func (p *Postgres) Stop() error { return p.end("keep") }

// Kill ends the server's main process by SIGKILL, waits until its children
// have noticed and keeps its files.
func (p *Postgres) Kill() error {
	orphans, err := p.children()
	if err != nil {
		return err
	}
	if err := p.end("kill"); err != nil {
		return err
	}
	end := time.Now().Add(patience)
	for _, pid := range orphans { // while one lives, the server refuses to start
		for alive(pid) {
			if time.Now().After(end) {
				return fmt.Errorf("process %d outlives its server", pid)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return nil
}

// children are the process ids of the server's backends and workers.
func (p *Postgres) children() ([]int, error) {
	b, err := os.ReadFile(filepath.Join(p.dir, "data", "postmaster.pid"))
	if err != nil {
		return nil, err
	}
	main, _, _ := strings.Cut(string(b), "\n")
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var out []int
	for _, path := range stats {
		if _, parent := stat(path); parent == main {
			pid, err := strconv.Atoi(strings.Split(path, "/")[2])
			if err != nil {
				return nil, err
			}
			out = append(out, pid)
		}
	}
	return out, nil
}

// alive is false for a process that only waits for its parent to look.
func alive(pid int) bool {
	state, _ := stat(fmt.Sprintf("/proc/%d/stat", pid))
	return state != "" && state != "Z"
}

// stat gives a process's state and parent, empty if it is gone.
func stat(path string) (state, parent string) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", ""
	}
	// "pid (name) state parent …", where the name may hold anything.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 2 {
		return "", ""
	}
	return fields[0], fields[1]
}

// Remove ends the server and deletes its files.
func (p *Postgres) Remove() error {
	if p.watchdog != nil {
		if err := p.end("gone"); err != nil {
			return err
		}
	}
	return os.RemoveAll(p.dir)
}

func (p *Postgres) end(why string) error {
	if p.watchdog == nil {
		return nil
	}
	io.WriteString(p.stdin.(io.Writer), why+"\n")
	p.stdin.Close()
	err := p.watchdog.Wait()
	p.watchdog = nil
	return err
}
