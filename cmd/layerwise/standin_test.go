package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

// standIn is run in the scripts for docker and the others: it does what $STANDIN says, with semicolons between.
func standIn() {
	for line := range strings.SplitSeq(os.Getenv("STANDIN"), ";") {
		verb, arg, _ := strings.Cut(line, " ")
		switch verb {
		case "args": // prints its arguments
			fmt.Printf("%q\n", os.Args[1:])
		case "cat": // copies its input
			_, _ = io.Copy(os.Stdout, os.Stdin)
		case "err":
			fmt.Fprintln(os.Stderr, arg)
		case "exit":
			code, _ := strconv.Atoi(arg)
			os.Exit(code)
		case "kill": // itself
			n, _ := strconv.Atoi(arg)
			process, _ := os.FindProcess(os.Getpid())
			_ = process.Signal(syscall.Signal(n))
			select {}
		case "parent": // sends its parent a signal, and exits with the number of what it gets itself
			n, _ := strconv.Atoi(arg)
			got := make(chan os.Signal, 1)
			signal.Notify(got)
			process, _ := os.FindProcess(os.Getppid())
			_ = process.Signal(syscall.Signal(n))
			for s := range got {
				if s == syscall.Signal(n) {
					fmt.Println("got", s)
					os.Exit(40)
				}
			}
		case "write": // write PATH TEXT
			path, text, _ := strings.Cut(arg, " ")
			if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
}
