//go:build unix

package textfile

import "syscall"

// NonBlocking lets a named pipe be opened although nobody writes to it, and a terminal without becoming its owner.
const NonBlocking = syscall.O_NONBLOCK | syscall.O_NOCTTY
