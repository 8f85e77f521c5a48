package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/status"
)

type importCmd struct {
	People   importPeopleCmd `cmd:"" help:"name, document_kind, document_number, phone, birth_date, photo."`
	Statuses importStatusCmd `cmd:"" name:"status" help:"document_kind, document_number, scheme, color, reason_code."`
}

type importFlags struct {
	dataFlags
	File    string `arg:"" help:"CSV (UTF-8 or GB18030) or NDJSON file." type:"existingfile"`
	Rejects string `help:"Where rejected rows go (default: beside the file)." type:"path" placeholder:"FILE"`
	JSON    bool   `name:"json" help:"Print the result as JSON."`
}

type importPeopleCmd struct{ importFlags }

func (c importPeopleCmd) Run(r *run) (err error) {
	if err := c.exists(); err != nil {
		return err
	}
	k, err := c.open(r)
	if err != nil {
		return err
	}
	defer closing(k, &err)
	rep, err := k.People.Import(r.ctx, c.File, person.ImportOptions{Progress: r.progress("people"), RejectsPath: c.Rejects})
	r.endProgress()
	if err != nil {
		r.halfway(rep.Rows)
		return err
	}
	if c.JSON {
		return json.NewEncoder(r.out).Encode(rep)
	}
	fmt.Fprintf(r.out, "%d rows: %d new, %d changed, %d as before, %d rejected, in %.1f s\n", rep.Rows, rep.Created, rep.Updated, rep.Unchanged, rep.Rejected, rep.Seconds)
	r.afterImport(rep.Notes, rep.Rejected, rep.RejectsFile)
	return nil
}

type importStatusCmd struct{ importFlags }

func (c importStatusCmd) Run(r *run) (err error) {
	if err := c.exists(); err != nil {
		return err
	}
	k, err := c.open(r)
	if err != nil {
		return err
	}
	defer closing(k, &err)
	rep, err := k.Status.Import(r.ctx, c.File, status.ImportOptions{Finder: k.People, Progress: r.progress("statuses"), RejectsPath: c.Rejects})
	r.endProgress()
	if err != nil {
		r.halfway(rep.Rows)
		return err
	}
	if c.JSON {
		return json.NewEncoder(r.out).Encode(rep)
	}
	fmt.Fprintf(r.out, "%d rows: %d changed, %d as before, %d rejected, in %.1f s\n", rep.Rows, rep.Changed, rep.Unchanged, rep.Rejected, rep.Seconds)
	r.afterImport(nil, rep.Rejected, rep.RejectsFile)
	return nil
}

// halfway says how to go on after an import that was cut short.
func (r *run) halfway(rows int) {
	if rows > 0 {
		fmt.Fprintln(r.notes, "What was imported so far stays: run the same command again to go on.")
	}
}

func (r *run) afterImport(notes map[string]int, rejected int, file string) {
	for note, n := range notes {
		fmt.Fprintf(r.notes, "note: %d × %s\n", n, note)
	}
	if rejected > 0 {
		fmt.Fprintf(r.notes, "Rejected rows with their reasons: %s (it holds personal data; delete it when done)\n", file)
	}
}

// progress reports on a terminal in place, and otherwise a plain line every ten
// seconds, so that logs stay readable.
func (r *run) progress(what string) func(done, total int64) {
	var last time.Time
	every := 10 * time.Second
	if r.isTerm {
		every = 200 * time.Millisecond
	}
	return func(done, total int64) {
		if now := time.Now(); now.Sub(last) >= every {
			last = now
			percent := 0.0
			if total > 0 {
				percent = 100 * float64(done) / float64(total)
			}
			if r.isTerm {
				fmt.Fprintf(r.notes, "\r%s: %.0f %%", what, percent)
			} else {
				fmt.Fprintf(r.notes, "%s: %.0f %%\n", what, percent)
			}
		}
	}
}

func (r *run) endProgress() {
	if r.isTerm {
		fmt.Fprint(r.notes, "\r\x1b[K")
	}
}
