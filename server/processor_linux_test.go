package server_test

import (
	"time"

	"golang.org/x/sys/unix"
)

// processor is the processor time that the process has used.
func (p *process) processor() time.Duration {
	var used unix.Timespec
	// The clock of a process, as clock_getcpuclockid(3) makes its number.
	if unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|2), &used) != nil {
		return 0
	}
	return time.Duration(used.Nano())
}
