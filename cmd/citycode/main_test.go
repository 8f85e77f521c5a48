package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// citycode runs a command as main does.
func citycode(t *testing.T, args ...string) (exit int, out, notes string) {
	t.Helper()
	var o, n bytes.Buffer
	exit = execute(t.Context(), args, &o, &n)
	return exit, o.String(), n.String()
}

func TestTheExitStatusTellsMisuseFromFailure(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "nowhere")
	for _, c := range []struct {
		want int
		args []string
	}{
		{0, []string{"version"}},
		{0, []string{"--help"}},
		{2, nil},
		{2, []string{"nonsense"}},
		{2, []string{"serve", "--clock", "+1d"}},
		{2, []string{"demo", "--database", "postgres://localhost/x"}},
		{2, []string{"demo", "--listen", "0.0.0.0:0"}},
		{2, []string{"demo", "--people", "-1"}},
		{2, []string{"demo", "--clock", "+200000d"}},
		{2, []string{"demo", "--clock", "tomorrow"}},
		{2, []string{"serve", "--data", missing, "--zone", "Nowhere/City"}},
		{2, []string{"serve", "--data", missing, "--trusted-proxy", "here"}},
		{2, []string{"serve", "--data", missing, "--tls-cert", "x"}},
		{2, []string{"serve", "--data", missing, "--public-url", "ftp://x"}},
		{1, []string{"audit", "verify", "--data", missing}},
		{1, []string{"key", "list", "--data", missing}},
	} {
		if got, _, notes := citycode(t, c.args...); got != c.want {
			t.Errorf("citycode %q: exit status %d, want %d: %s", c.args, got, c.want, notes)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a command that was refused made its data folder")
	}
}

func TestListingKeysLeavesNoTraceInTheAudit(t *testing.T) {
	dir := t.TempDir()
	for _, command := range [][]string{{"migrate"}, {"key", "rotate"}} {
		if exit, _, notes := citycode(t, append(command, "--data", dir)...); exit != 0 {
			t.Fatal(notes)
		}
	}
	chains := func() (n int) {
		exit, out, notes := citycode(t, "audit", "verify", "--json", "--data", dir)
		var report struct{ Chains int }
		if err := json.NewDecoder(bytes.NewBufferString(out)).Decode(&report); exit != 0 || err != nil && err != io.EOF {
			t.Fatalf("%d %s %s %v", exit, out, notes, err)
		}
		return report.Chains
	}
	before := chains()
	exit, out, notes := citycode(t, "key", "list", "--json", "--data", dir)
	var lines []map[string]any
	if err := json.Unmarshal([]byte(out), &lines); exit != 0 || err != nil || len(lines) < 10 {
		t.Errorf("%d %s %s %v", exit, out, notes, err)
	}
	if after := chains(); after != before || before == 0 {
		t.Errorf("%d chains before, %d after", before, after)
	}
}
