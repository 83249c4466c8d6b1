// Package conformance compares the cache model with BuildKit itself. It holds tests and what they need, and is a module
// of its own so that BuildKit's client, solver and frontend stay out of the product.
//
// A generator makes builds and edits of them. Two oracles say which instructions the next build really executes: one
// drives BuildKit's frontend, solver and cache maps in-process with faked execution, thousands of pairs a minute; the other
// is a real buildkitd. What the model promises is held against both, line by line.
package conformance
