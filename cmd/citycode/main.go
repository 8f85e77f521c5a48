// Command citycode is the whole platform in one binary: the server, its demo,
// and the commands that an operator needs beside it.
//
// main is flags and wiring only. Every flag can also be given as an environment
// variable (CITYCODE_ and the flag's name in capitals) or in a YAML file
// (--config FILE, the flags' names as keys); a flag wins over a variable, a
// variable over the file. Exit status: 0 success, 1 failure, 2 misuse.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	_ "time/tzdata" // the city's zone decides calendar days wherever the binary runs

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
	"golang.org/x/term"

	"github.com/citycode/citycode/internal/fault"
)

// version is set by the build.
var version = ""

type cli struct {
	Config    kong.ConfigFlag `help:"YAML file with any of these flags." placeholder:"FILE"`
	LogLevel  string          `help:"How much to log: ${enum}." enum:"debug,info,warn,error" default:"info"`
	LogFormat string          `help:"Log as ${enum}." enum:"text,json" default:"text"`

	Serve   serveCmd   `cmd:"" help:"Serve a city."`
	Demo    demoCmd    `cmd:"" help:"Serve an invented city to try everything with, on the embedded database."`
	Import  importCmd  `cmd:"" help:"Import people or statuses from a CSV or NDJSON file."`
	Key     keyCmd     `cmd:"" help:"List or rotate keys; may run beside a server."`
	Audit   auditCmd   `cmd:"" help:"Check the audit log; may run beside a server."`
	Migrate migrateCmd `cmd:"" help:"Bring the database to this version's schema."`
	Backup  backupCmd  `cmd:"" help:"Copy the database while it is in use."`
	Restore restoreCmd `cmd:"" help:"Put a copy back."`
	Openapi openapiCmd `cmd:"" name:"openapi" help:"Print the OpenAPI document."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// run is what every command gets.
type run struct {
	ctx    context.Context
	log    *slog.Logger
	out    io.Writer // results
	notes  io.Writer // progress and remarks, for people
	isTerm bool      // notes go to a terminal
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// execute is main with its surroundings given, for tests.
func execute(ctx context.Context, args []string, out, notes io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("citycode"), kong.Description("A city service code platform: show a code, check it, see the least that serves."),
		kong.DefaultEnvars("CITYCODE"), kong.Configuration(yamlFile), kong.ShortUsageOnError(),
		kong.Writers(out, notes), kong.Exit(func(code int) { exited = code }))
	if err != nil {
		fmt.Fprintln(notes, "citycode:", err)
		return 1
	}
	kctx, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintln(notes, "citycode:", err)
		if perr, ok := errors.AsType[*kong.ParseError](err); ok && perr.Context != nil {
			fmt.Fprintln(notes, "Run citycode --help for what there is.")
		}
		return 2
	}
	r := &run{ctx: ctx, out: out, notes: notes, log: logger(c, notes)}
	if f, ok := notes.(*os.File); ok {
		r.isTerm = term.IsTerminal(int(f.Fd()))
	}
	if err := kctx.Run(r); err != nil {
		if m, ok := errors.AsType[*misuse](err); ok {
			fmt.Fprintln(notes, "citycode:", m.text)
			return 2
		}
		fmt.Fprintln(notes, "citycode:", errorText(err))
		return 1
	}
	return 0
}

// misuse is a mistake in the flags that the parser could not see.
type misuse struct{ text string }

func (m *misuse) Error() string { return m.text }

func misused(format string, args ...any) error { return &misuse{fmt.Sprintf(format, args...)} }

// errorText prefers a fault's own sentence, which was written for operators.
func errorText(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Detail != "" {
		if f.Err != nil {
			return f.Detail + " (" + f.Code + "): " + f.Err.Error()
		}
		return f.Detail + " (" + f.Code + ")"
	}
	return err.Error()
}

func logger(c cli, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // the parser let only known words through
	o := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// yamlFile reads flags from YAML: keys are the flags' names. A key that no
// command knows is an error, so that a slip of the pen doesn't go unnoticed.
func yamlFile(r io.Reader) (kong.Resolver, error) {
	values := map[string]yaml.Node{}
	if err := yaml.NewDecoder(r).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	return &yamlFlags{values: values}, nil
}

type yamlFlags struct{ values map[string]yaml.Node }

func (y *yamlFlags) Validate(app *kong.Application) error {
	known := map[string]bool{}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			known[f.Name] = true
		}
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(app.Node)
	for key := range y.values {
		if !known[key] {
			return fmt.Errorf("configuration file: %q is not a flag", key)
		}
	}
	return nil
}

func (y *yamlFlags) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	v, ok := y.values[f.Name]
	if !ok {
		return nil, nil
	}
	for _, variable := range f.Envs {
		if _, set := os.LookupEnv(variable); set { // kong would let the file win
			return nil, nil
		}
	}
	// The text as it was written: YAML would make another number of a hotline
	// that begins with a zero.
	parts := []*yaml.Node{&v}
	if v.Kind == yaml.SequenceNode {
		parts = v.Content
	}
	text := make([]string, len(parts))
	for i, p := range parts {
		if p.Kind != yaml.ScalarNode || p.ShortTag() == "!!null" {
			return nil, fmt.Errorf("configuration file: line %d: not a value for %q", p.Line, f.Name)
		}
		text[i] = p.Value
	}
	return strings.Join(text, ","), nil
}

type versionCmd struct{}

func (versionCmd) Run(r *run) error {
	fmt.Fprintln(r.out, versionText())
	return nil
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
