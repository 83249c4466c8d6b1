// Package server is the language server: the only part of the product that knows LSP (go.lsp.dev) and logging (zap).
//
// A session (session.go) is one connection (conn.go, frames.go). Messages go by one table (methods.go). Notifications
// change the documents (documents.go) in wire order; each change makes an immutable snapshot (snapshot.go), from which
// every request is answered, one file per method, and from which diagnostics and marks are published (publish.go). What
// a snapshot depends on besides the text, its build (build.go), is found in the background and kept up to date by
// watching files (watch.go). Positions are translated in position.go and nowhere else.
//
// The package must not know how findings, verdicts or rewrites are made: engine.go is all that calls for them.
package server
