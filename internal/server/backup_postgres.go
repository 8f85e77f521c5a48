package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/citycode/citycode/internal/fault"
)

// postgresServer is how PostgreSQL's own tools are told where to go.
type postgresServer struct {
	url    string
	env    []string // the password: others on the machine must not see it in the list of processes
	schema string   // of the data; that of the person keys has _person_keys after it
}

// toolParameters are those parts of a URL that PostgreSQL's tools know; ours may
// have more, which are settings of the connection or of the pool.
var toolParameters = []string{"host", "hostaddr", "port", "dbname", "user", "passfile", "require_auth", "channel_binding", "connect_timeout", "options", "application_name",
	"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "gssencmode", "krbsrvname", "service",
	"sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "sslcrldir", "sslsni", "ssl_min_protocol_version", "ssl_max_protocol_version",
	"target_session_attrs", "load_balance_hosts"}

// openServer asks the server which schema the URL means.
func openServer(ctx context.Context, database string) (*postgresServer, error) {
	s, path, err := forTools(database)
	if err != nil {
		return nil, err
	}
	// A schema that isn't there yet is the one named, if one is.
	if s.schema, err = s.ask(ctx, "select coalesce(current_schema(), '')"); err != nil {
		return nil, err
	}
	if s.schema == "" {
		s.schema = strings.Trim(path, `" `)
	}
	if s.schema == "" || strings.ContainsAny(s.schema, `,"$`) {
		return nil, fault.New(fault.Invalid, "database_schema", "search_path must name one schema")
	}
	return s, nil
}

// forTools puts a URL of ours in the form that PostgreSQL's tools take, and
// tells its search_path.
func forTools(database string) (s *postgresServer, path string, err error) {
	u, err := url.Parse(database)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return nil, "", fault.New(fault.Invalid, "database_url", "the database is not an address like postgres://user@host/name")
	}
	s = &postgresServer{}
	q := u.Query()
	password := q.Get("password")
	if u.User != nil {
		if p, has := u.User.Password(); has {
			password = p
		}
		u.User = url.User(u.User.Username())
	}
	if password != "" {
		s.env = append(s.env, "PGPASSWORD="+password)
	}
	if path = q.Get("search_path"); path != "" {
		option := "-c search_path=" + strings.NewReplacer(`\`, `\\`, " ", `\ `).Replace(path)
		q.Set("options", strings.TrimSpace(q.Get("options")+" "+option))
	}
	for name := range q {
		if !slices.Contains(toolParameters, name) {
			q.Del(name)
		}
	}
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20") // the tools take a plus sign for one
	s.url = u.String()
	return s, path, nil
}

// command makes one of PostgreSQL's tools that connects.
func (s *postgresServer) command(ctx context.Context, tool string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, tool, append(args, "--no-password", "--dbname="+s.url)...)
	cmd.Env = append(os.Environ(), s.env...)
	return cmd
}

// run runs a tool; what it says becomes part of the error.
func run(cmd *exec.Cmd) error {
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return fault.New(fault.NotFound, "tool_missing", "%s isn't installed (Debian: postgresql-client)", cmd.Args[0])
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", cmd.Args[0], err, strings.TrimSpace(said.String()))
	}
	return nil
}

func (s *postgresServer) ask(ctx context.Context, query string) (string, error) {
	var answer bytes.Buffer
	cmd := s.command(ctx, "psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command="+query)
	cmd.Stdout = &answer
	err := run(cmd)
	return strings.TrimSpace(answer.String()), err
}

// dump writes one schema to a file, which appears whole or not at all.
func (s *postgresServer) dump(ctx context.Context, schema, file string) error {
	partial := file + ".partial"
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(partial)
	defer f.Close()
	// In quotes, or the name would be a pattern.
	cmd := s.command(ctx, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", `--schema="`+schema+`"`)
	cmd.Stdout = f
	if err := run(cmd); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return settle(partial, file)
}

// load puts both dumps into their schemas, in one transaction.
func (s *postgresServer) load(ctx context.Context, mainFile, keysFile, keyFileID string) error {
	parts := []*part{{file: mainFile, schema: s.schema}, {file: keysFile, schema: s.schema + "_person_keys"}}
	defer func() {
		for _, p := range parts {
			if p.list != "" {
				os.Remove(p.list)
			}
		}
	}()
	for _, p := range parts {
		if err := p.read(ctx); err != nil {
			return err
		}
		if err := s.empty(ctx, p); err != nil {
			return err
		}
	}
	if err := parts[0].checkKeyFile(ctx, keyFileID); err != nil {
		return err
	}
	psql := s.command(ctx, "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output="+os.DevNull, "--file=-")
	script, err := psql.StdinPipe()
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- run(psql) }()
	err = feedScript(ctx, script, parts)
	script.Close() // without the commit before it everything is rolled back
	return errors.Join(<-done, err)
}

// feedScript writes both dumps as one transaction, which is committed only when
// both have come to their end.
func feedScript(ctx context.Context, script io.Writer, parts []*part) error {
	if _, err := io.WriteString(script, "begin;\n"); err != nil {
		return err
	}
	for _, p := range parts {
		cmd := exec.CommandContext(ctx, "pg_restore", "--no-owner", "--no-privileges", "--use-list="+p.list, "--file=-", p.file)
		cmd.Stdout = script
		if err := run(cmd); err != nil {
			return err
		}
	}
	_, err := io.WriteString(script, "\ncommit;\n")
	return err
}

// part is one dump on its way into one schema.
type part struct {
	file, schema string
	contents     []string // lines of pg_restore --list
	list         string   // file of those that are restored
}

var (
	tableLine  = regexp.MustCompile(`^\d+; \d+ \d+ TABLE (?:ATTACH |DATA )?(\S+) `)
	schemaLine = regexp.MustCompile(`^\d+; \d+ \d+ (SCHEMA - |COMMENT - SCHEMA |ACL - SCHEMA )`)
)

// read reads what the dump holds, and refuses one of another schema: it would be
// put where it came from, perhaps over a city that is in use.
func (p *part) read(ctx context.Context) error {
	if _, err := os.Stat(p.file); err != nil {
		return err
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "pg_restore", "--list", p.file)
	cmd.Stdout = &out
	if err := run(cmd); err != nil {
		return err
	}
	p.contents = strings.Split(out.String(), "\n")
	tables := 0
	for _, line := range p.contents {
		if m := tableLine.FindStringSubmatch(line); m != nil {
			tables++
			if m[1] != p.schema {
				return fault.New(fault.Conflict, "other_schema", "%s holds the schema %s: restore it with search_path=%s in the database's address, not %s", p.file, m[1],
					strings.TrimSuffix(m[1], "_person_keys"), strings.TrimSuffix(p.schema, "_person_keys"))
			}
		}
	}
	if tables == 0 {
		return fault.New(fault.Invalid, "backup_empty", "%s holds no tables", p.file)
	}
	return nil
}

// empty refuses a schema that has tables. One that is there without any, as
// public always is, is taken as it is; one that isn't is made by the dump.
func (s *postgresServer) empty(ctx context.Context, p *part) error {
	name := "'" + strings.ReplaceAll(p.schema, "'", "''") + "'"
	answer, err := s.ask(ctx, `select (select count(*) from pg_namespace where nspname = `+name+`),
		(select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = `+name+`)`)
	if err != nil {
		return err
	}
	there, filled := !strings.HasPrefix(answer, "0|"), !strings.HasSuffix(answer, "|0")
	if filled {
		return fault.New(fault.Conflict, "not_empty", "schema %s has tables already: restore into an empty database", p.schema)
	}
	list, err := os.CreateTemp("", "citycode-restore-*")
	if err != nil {
		return err
	}
	p.list = list.Name()
	for _, line := range p.contents {
		if !there || !schemaLine.MatchString(line) {
			fmt.Fprintln(list, line)
		}
	}
	return list.Close()
}

// checkKeyFile looks in the dump for the key file that its keys lie under.
func (p *part) checkKeyFile(ctx context.Context, id string) error {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "pg_restore", "--data-only", "--table=key_custody", "--file=-", p.file)
	cmd.Stdout = &out
	if err := run(cmd); err != nil {
		return err
	}
	if !strings.Contains(out.String(), "\t"+id+"\t") {
		return fault.New(fault.Conflict, "key_file_wrong", "this copy was made under another key file than the one given (%s): put that in its place first", id)
	}
	return nil
}
