package fault

import (
	"os/exec"
	"syscall"
)

// dieWithTest ends the child when this process ends in whatever way.
func dieWithTest(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
