// Withpostgres runs a command with a fresh PostgreSQL cluster, whose URL it
// gives in CITYCODE_TEST_POSTGRES, and exits as the command did:
//
//	go run ./internal/db/dbtest/withpostgres go test ./...
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/citycode/citycode/internal/db/dbtest"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: withpostgres command [argument …]")
		os.Exit(2)
	}
	os.Exit(run(os.Args[1:]))
}

func run(argv []string) int {
	p, err := dbtest.NewPostgres()
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpostgres:", err)
		return 1
	}
	defer p.Remove()
	// A terminal sends ^C to the command too; it decides, and this waits for it.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	c := exec.Command(argv[0], argv[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Env = append(os.Environ(), "CITYCODE_TEST_POSTGRES="+p.URL)
	if err := c.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "withpostgres:", err)
		return 127
	}
	go func() {
		for s := range signals {
			if s == syscall.SIGTERM {
				c.Process.Signal(s)
			}
		}
	}()
	err = c.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	case errors.As(err, &exit):
		return 128 + int(exit.Sys().(syscall.WaitStatus).Signal())
	}
	fmt.Fprintln(os.Stderr, "withpostgres:", err)
	return 1
}
