// Command shop answers with its version: the program that the example's Dockerfile builds.
package main

import (
	"fmt"
	"net/http"
)

var version = "dev"

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "shop", version) })
	if err := http.ListenAndServe(":8080", nil); err != nil {
		panic(err)
	}
}
