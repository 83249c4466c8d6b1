//go:build js

// Command playground is the core of Layerwise for the playground: a page in a browser. It gives the page one function,
// layerwise(request), JSON in and JSON out; package play has the types.
package main

import (
	"syscall/js"

	"github.com/layerwise/layerwise/cmd/playground/play"
)

func main() {
	js.Global().Set("layerwise", js.FuncOf(func(_ js.Value, args []js.Value) any {
		if len(args) != 1 {
			return `{"error":"one argument is needed: the request"}`
		}
		return play.AnswerJSON(args[0].String())
	}))
	if ready := js.Global().Get("layerwiseReady"); ready.Type() == js.TypeFunction {
		ready.Invoke()
	}
	select {} // the function stays there as long as the page does
}
