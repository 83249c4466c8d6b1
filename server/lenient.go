package server

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
	"go.uber.org/zap"
)

// startInitialize reads the parameters of initialize less strictly than others: a client that says one thing in an
// odd way, such as a null where there must be none, is to lose that and not the server.
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

// withoutOdd returns the parameters of initialize without the members that cannot be read, of capabilities without
// the single ones, and the paths of what it left out.
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

// startChange reads the parameters of textDocument/didChange, also as older versions of the protocol had them (a
// version that is null, a range that is null for the whole document) and with positions that no position can be,
// which count as the nearest one. A change that is dropped would leave the server with another text than the editor,
// so a document whose change cannot be read is lost.
func startChange(s *session, params []byte) (func(context.Context) (any, error), error) {
	p, ok := looseChange(params)
	if !ok {
		s.lose(p.TextDocument.URI)
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidParams, "the change cannot be read")
	}
	didChange(s, p)
	return nil, nil
}

func looseChange(params []byte) (p *protocol.DidChangeTextDocumentParams, ok bool) {
	var loose struct {
		TextDocument struct {
			URI     uri.URI
			Version looseNumber
		}
		ContentChanges []struct {
			Range *struct {
				Start, End struct{ Line, Character looseNumber }
			}
			Text *string
		}
	}
	err := json.Unmarshal(params, &loose) // what can be read of it is read
	p = &protocol.DidChangeTextDocumentParams{}
	p.TextDocument.URI = loose.TextDocument.URI
	p.TextDocument.Version = int32(min(loose.TextDocument.Version, math.MaxInt32))
	if err != nil || loose.ContentChanges == nil {
		return p, false
	}
	for _, c := range loose.ContentChanges {
		switch {
		case c.Text == nil:
			return p, false
		case c.Range == nil:
			p.ContentChanges = append(p.ContentChanges, &protocol.TextDocumentContentChangeWholeDocument{Text: *c.Text})
		default:
			start, end := c.Range.Start, c.Range.End
			p.ContentChanges = append(
				p.ContentChanges,
				&protocol.TextDocumentContentChangePartial{Text: *c.Text, Range: protocol.Range{
					Start: protocol.Position{Line: uint32(start.Line), Character: uint32(start.Character)},
					End:   protocol.Position{Line: uint32(end.Line), Character: uint32(end.Character)},
				}},
			)
		}
	}
	return p, true
}

// looseNumber is any JSON number, taken for the nearest that a position's number can be.
type looseNumber uint32

func (n *looseNumber) UnmarshalJSON(raw []byte) error {
	if string(raw) == "null" {
		return nil
	}
	value, err := strconv.ParseFloat(string(raw), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return err
	}
	*n = looseNumber(max(0, min(value, math.MaxUint32)))
	return nil
}
