package server

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
	"go.uber.org/zap"
)

// startInitialize reads the parameters of initialize less strictly than others: a client that says one thing in an odd way, such as a null
// where there must be none, is to lose that and not the server.
func startInitialize(s *session, params []byte) (func(context.Context) (any, error), error) {
	p, err := decode[protocol.InitializeParams](params)
	if err != nil {
		readable, odd := withoutOdd(params)
		if p, err = decode[protocol.InitializeParams](readable); err != nil {
			return nil, err
		}
		s.log.Warn("parts of the parameters of initialize are left out", zap.Strings("parts", odd))
	}
	return func(context.Context) (any, error) { return initialize(s, p) }, nil
}

// withoutOdd returns the parameters of initialize without the members that cannot be read, of capabilities without the single ones, and
// the paths of what it left out.
func withoutOdd(params []byte) (readable []byte, odd []string) {
	const deepest = 3 // capabilities.textDocument.hover
	var prune func(path []string, raw json.RawMessage) json.RawMessage
	prune = func(path []string, raw json.RawMessage) json.RawMessage {
		alone := raw
		for _, name := range slices.Backward(path) {
			alone, _ = json.Marshal(map[string]json.RawMessage{name: alone})
		}
		if _, err := decode[protocol.InitializeParams](alone); err == nil {
			return raw
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil || len(path) == deepest || len(path) > 0 && path[0] != "capabilities" {
			odd = append(odd, strings.Join(path, "."))
			return nil
		}
		kept := map[string]json.RawMessage{}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if member := prune(append(slices.Clone(path), name), members[name]); member != nil {
				kept[name] = member
			}
		}
		out, _ := json.Marshal(kept)
		return out
	}
	return prune(nil, params), odd
}

// startChange reads the parameters of textDocument/didChange, also as older versions of the protocol had them: a version that is null, a
// range that is null for the whole document. A change that is dropped would leave the server with another text than the editor for good.
func startChange(s *session, params []byte) (func(context.Context) (any, error), error) {
	p, err := decode[protocol.DidChangeTextDocumentParams](params)
	if err != nil || bytes.Contains(params, []byte("null")) {
		if older, ok := olderChange(params); ok {
			p, err = older, nil
		}
	}
	if err != nil {
		return nil, err
	}
	didChange(s, p)
	return nil, nil
}

func olderChange(params []byte) (*protocol.DidChangeTextDocumentParams, bool) {
	var older struct {
		TextDocument struct {
			URI     uri.URI
			Version *int32
		}
		ContentChanges []struct {
			Range *protocol.Range
			Text  string
		}
	}
	if json.Unmarshal(params, &older) != nil {
		return nil, false
	}
	p := &protocol.DidChangeTextDocumentParams{}
	p.TextDocument.URI = older.TextDocument.URI
	if older.TextDocument.Version != nil {
		p.TextDocument.Version = *older.TextDocument.Version
	}
	for _, c := range older.ContentChanges {
		if c.Range == nil {
			p.ContentChanges = append(p.ContentChanges, &protocol.TextDocumentContentChangeWholeDocument{Text: c.Text})
		} else {
			p.ContentChanges = append(p.ContentChanges, &protocol.TextDocumentContentChangePartial{Range: *c.Range, Text: c.Text})
		}
	}
	return p, true
}
