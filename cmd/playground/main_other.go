//go:build !js

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "playground is for browsers: docs/playground/build makes its page")
	os.Exit(2)
}
