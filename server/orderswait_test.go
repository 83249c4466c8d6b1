package server

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/analysis/source"
	"go.lsp.dev/protocol"
)

// Whatever is asked for, a search for better orders that does not end holds no code action up.
func TestCodeActionsDoNotWaitForOrders(t *testing.T) {
	const automatic, invoked = protocol.CodeActionTriggerKindAutomatic, protocol.CodeActionTriggerKindInvoked
	for _, test := range []struct {
		name    string
		trigger protocol.CodeActionTriggerKind
		only    []protocol.CodeActionKind
		edited  bool
		waits   bool
	}{
		{"all at a move of the cursor", automatic, nil, false, false},
		{"all when a person asks, of a text that was edited", invoked, nil, true, false},
		{"all when a person asks, of a text as it was opened", invoked, nil, false, true},
		{"all, of a client that does not say who asks", 0, nil, true, false},
		{"quick fixes", invoked, []protocol.CodeActionKind{"quickfix"}, false, false},
		{"orders by name", invoked, []protocol.CodeActionKind{"refactor.rewrite"}, true, true},
		{"refactorings by name", 0, []protocol.CodeActionKind{"refactor"}, true, true},
		{"orders by name at a move of the cursor", automatic, []protocol.CodeActionKind{"refactor"}, false, false},
		{"all fixes by name", invoked, []protocol.CodeActionKind{"source.fixAll"}, true, true},
		{"all fixes as a file is saved", automatic, []protocol.CodeActionKind{"source.fixAll"}, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, loader, _ := installing(t, func(string) {})
			s.patience = time.Millisecond
			if test.edited {
				loader.d.text = source.New("FROM scratch\nEVN a=b\n")
				s.mu.Lock()
				s.changedLocked(loader.d)
				s.mu.Unlock()
			}
			snap, searched := s.snapshotOf(loader.d.uri), make(chan struct{}, 1)
			snap.orders = newOrders(t.Context(), func(ctx context.Context) reorder.Offers {
				<-ctx.Done()
				return reorder.Offers{}
			})
			snap.searchNow = func() { searched <- struct{}{}; go snap.orders.search() }
			_, err := codeAction(t.Context(), snap, &protocol.CodeActionParams{
				Context: protocol.CodeActionContext{TriggerKind: test.trigger, Only: test.only},
			})
			if err != nil {
				t.Fatal(err)
			}
			select {
			case <-searched:
				if !test.waits {
					t.Error("it waits for the search")
				}
			default:
				if test.waits {
					t.Error("it does not wait for the search")
				}
			}
		})
	}
}

// A client that asks for edits when an action is chosen gets those of all fixes then, and none for another text.
func TestEditsOfAllFixesAreResolved(t *testing.T) {
	s, loader, _ := installing(t, func(string) {})
	s.patience, s.can.resolvesEdits = time.Millisecond, true
	edit := func(version int32, text string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		loader.d.text, loader.d.version = source.New(text), version
		s.changedLocked(loader.d)
	}
	offered := func() []protocol.CommandOrCodeAction {
		actions, err := codeAction(t.Context(), s.snapshotOf(loader.d.uri), &protocol.CodeActionParams{
			Context: protocol.CodeActionContext{Only: []protocol.CodeActionKind{fixAll}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return actions
	}
	if edit(2, "FROM scratch\n"); len(offered()) != 0 {
		t.Errorf("a text without findings: %v", offered())
	}
	edit(3, "FROM scratch\nEVN a=b\n")
	actions := offered()
	if len(actions) != 1 {
		t.Fatalf("%v", actions)
	}
	action := actions[0].(*protocol.CodeAction)
	if action.Edit != nil || len(action.Data) == 0 {
		t.Errorf("%+v", action)
	}
	resolved, err := resolveAction(t.Context(), s, action)
	if err != nil || resolved.Edit == nil {
		t.Fatalf("%+v, %v", resolved, err)
	}
	if got := resolved.Edit.Changes[loader.d.uri]; len(got) != 1 || got[0].NewText != "ENV" {
		t.Errorf("the edits are %+v", got)
	}
	edit(4, "FROM scratch\n\nEVN a=b\n")
	raw, _ := json.Marshal(actionData{loader.d.uri, 3})
	if _, err := resolveAction(t.Context(), s, &protocol.CodeAction{Data: raw}); err != protocol.ErrContentModified {
		t.Errorf("of another version: %v", err)
	}
	if _, err := resolveAction(t.Context(), s, &protocol.CodeAction{}); err != nil {
		t.Errorf("an action that has its edits: %v", err)
	}
}
