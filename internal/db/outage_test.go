package db_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/citycode/citycode/internal/db"
	"github.com/citycode/citycode/internal/db/dbtest"
	"github.com/citycode/citycode/internal/fault"
)

// own is a cluster of the test's own with the stores in it.
func own(t *testing.T) (*dbtest.Postgres, *dbtest.Pair) {
	t.Helper()
	p := dbtest.StartPostgres(t)
	d := dbtest.OpenAt(t, "", p.URL)
	for _, one := range []*db.DB{d.Main, d.PersonKeys} {
		if _, err := one.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return p, d
}

func admin(t *testing.T, server, text string) {
	t.Helper()
	ctx := t.Context()
	c, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	for one := range strings.SplitSeq(text, ";") { // alter system wants to be alone
		if _, err := c.Exec(ctx, one); err != nil {
			t.Fatal(err)
		}
	}
}

// ways are the calls that need the database.
func ways(d *db.DB) map[string]func(context.Context) error {
	id := func(ctx context.Context, q db.Querier) error {
		var n int64
		return q.QueryRow(ctx, "select count(*) from demo_mark").Scan(&n)
	}
	return map[string]func(context.Context) error{
		"Tx":       func(ctx context.Context) error { return d.Tx(ctx, id) },
		"Append":   func(ctx context.Context) error { return d.Append(ctx, id) },
		"Snapshot": func(ctx context.Context) error { return d.Snapshot(ctx, id) },
		"Read":     func(ctx context.Context) error { return d.Read(ctx, id) },
		"Ping":     d.Ping,
		"Identity": func(ctx context.Context) error { _, err := d.Identity(ctx); return err },
		"Version":  func(ctx context.Context) error { _, _, err := d.Version(ctx); return err },
		"Migrate":  func(ctx context.Context) error { _, err := d.Migrate(ctx); return err },
		"Renew":    d.RenewIdentity,
	}
}

func unavailable(t *testing.T, what string, err error) {
	t.Helper()
	if fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != "database_unavailable" {
		t.Errorf("%s: %v", what, err)
	}
}

func TestADeadServerIsUnavailableAtOnceAndComesBack(t *testing.T) {
	p, d := own(t)
	for round, end := range []func() error{p.Stop, p.Kill} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for name, call := range ways(d.Main) {
			for range 10 {
				unavailable(t, name, call(t.Context()))
			}
		}
		if took := time.Since(start); took > patience {
			t.Errorf("90 calls took %s", took)
		}
		_, err := db.Open(t.Context(), db.Config{URL: p.URL})
		unavailable(t, "Open", err)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		for name, call := range ways(d.Main) {
			await(t, name+" works again", func() bool { return call(t.Context()) == nil })
		}
		addMark(t, d.Main, int64(round), 1)
	}
}

func TestAServerRestartedBetweenTransactionsIsNotNoticed(t *testing.T) {
	p, d := own(t)
	for range 3 {
		for id := range int64(4) { // leaves connections behind
			mark(t, d.Main, id)
		}
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Tx", "Append", "Snapshot"} {
			if err := ways(d.Main)[name](t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestAServerThatStopsInATransactionIsUnavailable(t *testing.T) {
	p, d := own(t)
	for name, end := range map[string]func() error{
		"stop": p.Stop,
		"kill": p.Kill,
		"terminate": func() error {
			admin(t, p.URL, "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'")
			return nil
		},
	} {
		err := d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
			if _, err := q.Exec(ctx, "insert into demo_mark (id, made_at) values (1, 1)"); err != nil {
				return err
			}
			if err := end(); err != nil {
				t.Fatal(err)
			}
			_, err := q.Exec(ctx, "insert into demo_mark (id, made_at) values (2, 2)")
			unavailable(t, name+": the statement", err)
			return err
		})
		unavailable(t, name+": the transaction", err)
		if db.IsUnclear(err) {
			t.Errorf("%s: nothing was committed, that is clear: %v", name, err)
		}
		if name != "terminate" {
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
		}
		await(t, "it works again", func() bool { return d.Main.Ping(t.Context()) == nil })
		if _, found := mark(t, d.Main, 1); found {
			t.Errorf("%s: the row was kept", name)
		}
	}
}

// TestACommitThatWaitsInVainIsUnclear: the standby that must confirm doesn't
// exist, so each commit waits until somebody interrupts it.
func TestACommitThatWaitsInVainIsUnclear(t *testing.T) {
	p, d := own(t)
	admin(t, p.URL, "alter system set synchronous_standby_names = 'nobody'; select pg_reload_conf()")
	interrupt := func(function string) {
		await(t, "the commit waits for the standby", func() bool {
			var n int
			ctx := t.Context()
			c, err := pgx.Connect(ctx, p.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close(ctx)
			err = c.QueryRow(ctx, "select count("+function+"(pid)) from pg_stat_activity where wait_event = 'SyncRep'").Scan(&n)
			if err != nil {
				t.Fatal(err)
			}
			return n > 0
		})
	}
	for id, end := range []func(){
		func() { interrupt("pg_cancel_backend") },
		func() { interrupt("pg_terminate_backend") },
	} {
		var ran int64
		for name, run := range map[string]func(context.Context, func(context.Context, db.Querier) error) error{"Tx": d.Main.Tx, "Append": d.Main.Append} {
			done := make(chan error, 1)
			go func() {
				for { // the server takes its new setting to heart some time after it was told
					before := ran
					err := run(t.Context(), func(ctx context.Context, q db.Querier) error {
						ran++
						_, err := q.Exec(ctx, "insert into demo_mark (id, made_at) values ($1, 1) on conflict (id) do update set made_at = demo_mark.made_at + 1", id)
						return err
					})
					if ran != before+1 {
						t.Errorf("%s ran %d times", name, ran-before)
					}
					if err != nil {
						done <- err
						return
					}
				}
			}()
			end()
			err := <-done
			if !db.IsUnclear(err) || fault.KindOf(err) != fault.Unavailable || fault.CodeOf(err) != "commit_unclear" {
				t.Errorf("%s, way %d: %v", name, id, err)
			}
		}
		// They were kept here, which is why that may not be called a failure.
		if made, _ := mark(t, d.Main, int64(id)); made != ran {
			t.Errorf("way %d: made_at %d after %d increments", id, made, ran)
		}
	}
}

func TestAConstraintCheckedAtTheCommitIsClear(t *testing.T) {
	d := dbtest.Open(t, db.PostgreSQL)
	write(t, d.Main, "create table late (id bigint unique deferrable initially deferred)")
	err := d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
		_, err := q.Exec(ctx, "insert into late (id) values (1), (1)")
		return err
	})
	if !db.IsUnique(err) || db.IsUnclear(err) {
		t.Errorf("got %v", err)
	}
}

// silent is an address that takes connections and never says a word, as a
// frozen server does.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestASilentServerCostsTwoSeconds(t *testing.T) {
	start := time.Now()
	_, err := db.Open(t.Context(), db.Config{URL: "postgres://somebody:verysecret@" + silent(t) + "/city"})
	unavailable(t, "Open", err)
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "verysecret") {
		t.Errorf("the password is in the error: %v", err)
	}
	if took := time.Since(start); took < time.Second || took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestAFrozenServerIsUnavailable(t *testing.T) {
	p, d := own(t)
	pid := postmaster(t, socketDir(t, p.URL))
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGCONT)
	// Connections made before go on working; this needs a new one.
	fresh := make(chan error, 20)
	err := d.Main.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
		start := time.Now()
		for range cap(fresh) {
			go func() {
				fresh <- d.Main.Append(t.Context(), func(ctx context.Context, q db.Querier) error {
					_, err := q.Exec(ctx, "select pg_sleep(0.01)")
					return err
				})
			}()
		}
		failed := 0
		for range cap(fresh) {
			if err := <-fresh; err != nil {
				unavailable(t, "Append", err)
				failed++
			}
		}
		if took := time.Since(start); took > patience {
			t.Errorf("%d calls, %d failed, took %s", cap(fresh), failed, took)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	syscall.Kill(pid, syscall.SIGCONT)
	await(t, "it works again", func() bool { return d.Main.Ping(t.Context()) == nil })
}

func TestTheNextServerOfTheURLIsTaken(t *testing.T) {
	p, _ := own(t)
	host, port, _ := strings.Cut(silent(t), ":")
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("host", host+","+q.Get("host"))
	q.Set("port", port+",5432")
	q.Set("target_session_attrs", "read-write")
	u.RawQuery = q.Encode()
	d, err := db.Open(t.Context(), db.Config{URL: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Read(t.Context(), func(ctx context.Context, q db.Querier) error {
		var n int64
		return q.QueryRow(ctx, "select count(*) from demo_mark").Scan(&n)
	}); err != nil {
		t.Error(err)
	}
}

func TestAnUnsafeServerIsRefused(t *testing.T) {
	p, d := own(t)
	with := func(name, value string) string {
		u, err := url.Parse(p.URL)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	other := func(database string) string { return strings.Replace(p.URL, ":///postgres?", ":///"+database+"?", 1) }
	refused := func(url, code, text string) {
		t.Helper()
		d, err := db.Open(t.Context(), db.Config{URL: url})
		if err == nil {
			d.Close()
		}
		if fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) != code || !strings.Contains(fmt.Sprint(err), text) {
			t.Errorf("%s: got %v", text, err)
		}
	}
	for _, level := range []string{"off", "local", "remote_write"} {
		refused(with("synchronous_commit", level), "database_unsafe", "synchronous_commit "+level)
	}
	refused(with("search_path", "nowhere"), "database_schema", "doesn't exist")
	admin(t, p.URL, "create database sorted template template0 lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'; create database latin template template0 encoding 'LATIN1'")
	refused(other("sorted"), "database_unsafe", "collation C.UTF-8")
	refused(other("latin"), "database_unsafe", "encoding LATIN1")
	refused("mysql://u:verysecret@localhost/x", "database_url", "postgres://")
	refused("postgres://u:verysecret@local host:port/x", "database_url", "postgres://")
	refused("postgres://u:verysecret@localhost/x?sslmode=perhaps", "database_url", "can't be understood")

	admin(t, p.URL, "alter system set full_page_writes = off; select pg_reload_conf()")
	await(t, "new connections see the setting", func() bool {
		d, err := db.Open(t.Context(), db.Config{URL: p.URL})
		if err == nil {
			d.Close()
		}
		return err != nil
	})
	refused(p.URL, "database_unsafe", "full_page_writes off")
	admin(t, p.URL, "alter system reset full_page_writes; alter system set fsync = off")
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	refused(p.URL, "database_unsafe", "fsync off")
	// A handle opened before asks again when it connects again.
	if err := d.Main.Ping(t.Context()); fault.CodeOf(err) != "database_unsafe" {
		t.Errorf("got %v", err)
	}
}

func TestAWrongPasswordIsUnavailableAndStaysSecret(t *testing.T) {
	p := dbtest.StartPostgres(t)
	admin(t, p.URL, "set password_encryption = 'scram-sha-256'; alter user citycode password 'right'")
	hba := filepath.Join(socketDir(t, p.URL), "data", "pg_hba.conf")
	if err := os.WriteFile(hba, []byte("local all all scram-sha-256\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	_, err := db.Open(t.Context(), db.Config{URL: p.URL + "&password=verysecret"})
	unavailable(t, "Open", err)
	if strings.Contains(fmt.Sprintf("%v %+v", err, err), "verysecret") {
		t.Errorf("the password is in the error: %v", err)
	}
	d, err := db.Open(t.Context(), db.Config{URL: p.URL + "&password=right"})
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
}
