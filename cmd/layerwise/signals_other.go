//go:build !unix

package main

import "os"

// forwarded are the signals that are meant for the command that runs.
var forwarded = []os.Signal{os.Interrupt}
