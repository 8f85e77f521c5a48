package db_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
)

// patience is what a test waits for something that comes soon on a machine
// with nothing else to do.
const patience = 30 * time.Second

// TestMain lets this binary play a second process: child says what it does.
func TestMain(m *testing.M) {
	if role := os.Getenv("CITYCODE_DB_TEST_CHILD"); role != "" {
		if err := child(role, os.Getenv("CITYCODE_DB_TEST_DIR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(role, dir string) error {
	ctx := context.Background()
	if role == "postgres" {
		p, err := dbtest.NewPostgres()
		if err != nil {
			return err
		}
		fmt.Println(p.URL)
		time.Sleep(time.Hour)
		return p.Remove()
	}
	d, err := db.Open(ctx, db.Config{Dir: dir})
	if err != nil {
		return err
	}
	defer d.Close()
	if _, err := d.Migrate(ctx); err != nil {
		return err
	}
	insert := func(id int) error {
		return d.Append(ctx, func(ctx context.Context, q db.Querier) error {
			_, err := q.Exec(ctx, "insert into demo_mark (id, made_at) values ($1, 0) on conflict (id) do nothing", id)
			return err
		})
	}
	switch role {
	case "increment":
		if err := insert(1); err != nil {
			return err
		}
		for range 50 {
			if err := increment(ctx, d); err != nil {
				return err
			}
		}
		return nil
	case "insert":
		for id := 1; ; id++ {
			if err := insert(id); err != nil {
				return err
			}
			fmt.Println(id)
		}
	}
	return fmt.Errorf("no role %q", role)
}

func childCommand(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "CITYCODE_DB_TEST_CHILD="+role, "CITYCODE_DB_TEST_DIR="+dir)
	c.Stderr = os.Stderr
	t.Cleanup(func() {
		if c.Process != nil {
			c.Process.Kill()
			c.Wait()
		}
	})
	return c
}

func TestManyProcessesShareOneFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a folder? with #odd %20 name")
	const processes = 3
	var children []*exec.Cmd
	for range processes { // the first to come makes the file
		c := childCommand(t, "increment", dir)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, c)
	}
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	d := dbtest.OpenAt(t, dir, "")
	if made, _ := mark(t, d.Main, 1); made != processes*50 {
		t.Errorf("%d of %d increments kept", made, processes*50)
	}
	for _, name := range []string{"citycode.db", "person-keys.db"} {
		if s, err := os.Stat(filepath.Join(dir, name)); err != nil || s.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAKilledProcessLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		c := childCommand(t, "insert", dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		last := 0
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if last, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(err)
			}
			if last == 50*(round+1) {
				c.Process.Kill()
			}
		}
		c.Wait()
		d := dbtest.OpenAt(t, dir, "").Main
		if n := count64(t, d, "select count(*) from demo_mark"); n < int64(last) || n > int64(last)+1 {
			t.Errorf("%d rows, %d were acknowledged", n, last)
		}
	}
}

func TestPostgresEndsWithTheTestProcessEvenIfKilled(t *testing.T) {
	c := childCommand(t, "postgres", "")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the child didn't start PostgreSQL")
	}
	dir := socketDir(t, lines.Text())
	pid := postmaster(t, dir)
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatal(err)
	}
	c.Process.Kill()
	await(t, "the server ends", func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) })
	await(t, "its files are gone", func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	})
}

// socketDir is where a private cluster keeps its files and socket.
func socketDir(t *testing.T, server string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("host")
}

// postmaster is the process id of a cluster's main process.
func postmaster(t *testing.T, dir string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// await polls for what another process does; nothing here can tell it.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); {
		if time.Now().After(end) {
			t.Fatalf("waited %s: %s", patience, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
