package server

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// commands is the table of what workspace/executeCommand can run, one file each. Their arguments are a document's URI
// and, for some, a choice; without that the person is asked.
var commands = map[string]func(ctx context.Context, s *session, document uri.URI, choice string) error{
	selectBaselineCommand: selectBaseline,
	markAsBuiltCommand:    markAsBuilt,
	selectBuildCommand:    selectBuild,
	openDockerfileCommand: openDockerfile,
	verifyOrderCommand:    verifyOrder,
}

func commandNames() []string { return slices.Sorted(maps.Keys(commands)) }

// executeCommand answers workspace/executeCommand.
func executeCommand(ctx context.Context, s *session, p *protocol.ExecuteCommandParams) (any, error) {
	run := commands[p.Command]
	if run == nil {
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidParams, "there is no command "+p.Command)
	}
	var args [2]string
	for i, raw := range p.Arguments {
		if i >= len(args) {
			break
		}
		if err := json.Unmarshal(raw, &args[i]); err != nil {
			return nil, jsonrpc2.NewError(
				jsonrpc2.InvalidParams,
				p.Command+" takes the URI of an open Dockerfile and, perhaps, a choice, both as text",
			)
		}
	}
	return nil, run(ctx, s, uri.URI(args[0]), args[1])
}

// decidesAtOnce reports whether a command records or chooses something without asking the person first.
func decidesAtOnce(p *protocol.ExecuteCommandParams) bool {
	switch p.Command {
	case markAsBuiltCommand:
		return true
	case selectBaselineCommand, selectBuildCommand:
		return len(p.Arguments) > 1 && string(p.Arguments[1]) != `""`
	}
	return false
}

// openDockerfile finds the Dockerfile that a command is about, with its build, which is waited for.
func (s *session) openDockerfile(ctx context.Context, u uri.URI) (*document, *snapshot, error) {
	s.mu.Lock()
	d := s.documents[u]
	s.mu.Unlock()
	if d == nil || !d.dockerfile {
		return nil, nil, jsonrpc2.NewError(jsonrpc2.InvalidParams, "no Dockerfile is open as "+string(u))
	}
	s.mu.Lock()
	snap := d.current
	s.mu.Unlock()
	snap, err := snap.marked(ctx, false)
	return d, snap, err
}

// choose remembers a choice for a document, and has it judged anew.
func (s *session) choose(d *document, kind, value string) error {
	err := s.store.Choose(d.path, kind, value)
	s.mu.Lock()
	d.stale.Baseline, d.stale.Builds = true, true // only now: a load that runs may have read the choice before
	s.mu.Unlock()
	d.wake(d.reload)
	return err
}

// ask lets the person choose one of several. It returns -1 if none was chosen.
func (s *session) ask(ctx context.Context, question string, titles []string) (int, error) {
	request := &protocol.ShowMessageRequestParams{Type: protocol.MessageTypeInfo, Message: titleText(question)}
	for _, title := range titles {
		request.Actions = append(request.Actions, protocol.MessageActionItem{Title: title})
	}
	answer, err := s.client.ShowMessageRequest(ctx, request)
	if err != nil || answer == nil {
		return -1, err
	}
	return slices.Index(titles, answer.Title), nil
}

// jsonText is a string as JSON.
func jsonText(s string) protocol.LSPAny {
	raw, _ := json.Marshal(s) // a string can always be written
	return raw
}
