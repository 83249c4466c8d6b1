//go:build unix

package main

import (
	"os"
	"syscall"
)

// forwarded are the signals that are meant for the command that runs.
var forwarded = []os.Signal{
	syscall.SIGINT,
	syscall.SIGTERM,
	syscall.SIGHUP,
	syscall.SIGQUIT,
	syscall.SIGUSR1,
	syscall.SIGUSR2,
}
