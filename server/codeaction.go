package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/analysis/source"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// fixAll is the kind of the action that applies every fix which is safe without asking.
const (
	fixAll      = protocol.CodeActionKindSourceFixAll + ".layerwise"
	fixAllTitle = "Apply all safe fixes"
)

// The bounds on quick fixes in one answer: for how many findings it offers to skip their rules, which costs checks of
// the file each, and is offered for fewer where these are slow; and how many there are in all. At a cursor there are
// a few.
const (
	mostSuppressed = 10
	mostFixes      = 200
)

// codeAction answers textDocument/codeAction: the fixes of the findings in the range, all safe fixes of the file, and
// the rewrites of the stages in the range.
func codeAction(
	ctx context.Context,
	snap *snapshot,
	p *protocol.CodeActionParams,
) ([]protocol.CommandOrCodeAction, error) {
	actions := []protocol.CommandOrCodeAction{}
	wanted := func(kind protocol.CodeActionKind) bool {
		return len(p.Context.Only) == 0 || slices.ContainsFunc(p.Context.Only, func(only protocol.CodeActionKind) bool {
			return only == "" || kind == only || strings.HasPrefix(string(kind), string(only)+".")
		})
	}
	add := func(title string, kind protocol.CodeActionKind, edits []source.Edit) *protocol.CodeAction {
		action := &protocol.CodeAction{Title: title, Kind: &kind, Edit: snap.workspaceEdit(edits)}
		actions = append(actions, action)
		return action
	}
	at := snap.can.encoding.span(snap.file.Text, p.Range)
	patience := snap.bears(&p.Context)

	if wanted(protocol.CodeActionKindQuickFix) {
		fixed, began := 0, time.Now()
		for _, finding := range snap.findings() {
			if !finding.Span.Overlaps(at) {
				continue
			}
			fixes := finding.Fixes
			suppressed := fixed < mostSuppressed && time.Since(began) < cmp.Or(snap.patience, leastPatience)
			if fixed++; suppressed || fixed == 1 {
				fixes = slices.Concat(fixes, suppressions(snap.file, finding))
			}
			if len(actions)+len(fixes) > mostFixes {
				break
			}
			for _, fix := range fixes {
				action := add(fix.Title, protocol.CodeActionKindQuickFix, fix.Edits)
				action.Diagnostics = []protocol.Diagnostic{snap.diagnostic(finding)}
				action.IsPreferred = &fix.Preferred
			}
		}
	}
	gainless := false // nothing is known to be better
	if wanted(protocol.CodeActionKindRefactorRewrite) {
		offers, known := snap.ordersBy(ctx, patience)
		patience = 0 // it is over
		rewrites := offers.Rewrites
		builder := ""
		if !snap.untrusted && len(rewrites) > 0 {
			builder = snap.verifiedBy()
		}
		verify := func(r reorder.Rewrite) {
			if r.Grade.Certain() || builder == "" {
				return
			}
			title := fmt.Sprintf("Verify and apply (builds both on %s): %s", builder, r.Title)
			action := add(title, protocol.CodeActionKindRefactorRewrite, nil)
			action.Edit = nil
			action.Command = protocol.Command{
				Title: title, Command: verifyOrderCommand,
				Arguments: []protocol.LSPAny{jsonText(string(snap.uri)), jsonText(r.Title)},
			}
		}
		offer := func(r reorder.Rewrite, isPreferred bool) {
			action := add(graded(r), protocol.CodeActionKindRefactorRewrite, r.Edits)
			action.IsPreferred = &isPreferred
			snap.can.annotate(action.Edit, gradedGain(r), r.Explanation, !r.Grade.Certain())
		}
		all := reorder.Rewrite{
			Title: fmt.Sprintf("Reorder all %d stages for fewer rebuilds", len(rewrites)),
			Grade: reorder.Proved,
		}
		for _, rewrite := range rewrites {
			all.Edits = append(all.Edits, rewrite.Edits...)
			all.Explanation += rewrite.Explanation + "\n"
			if !rewrite.Grade.Certain() {
				all.Grade = rewrite.Grade
			}
			if !rewrite.Span.Overlaps(at) {
				continue
			}
			offer(rewrite, rewrite.Grade.Certain())
			verify(rewrite)
			for _, part := range rewrite.Parts { // one of several improvements
				part.Title = "Only " + strings.ToLower(part.Title[:1]) + part.Title[1:]
				offer(part, false)
			}
		}
		if len(rewrites) > 1 {
			offer(all, false)
		}
		gainless = known && len(rewrites) == 0
		if gainless && len(p.Context.Only) > 0 && snap.can.disabledActions {
			action := add("Reorder for fewer rebuilds", protocol.CodeActionKindRefactorRewrite, nil)
			action.Edit = nil
			action.Disabled = protocol.CodeActionDisabled{Reason: whyNoRewrite(snap.file, snap.engine, offers.Ignoring)}
		}
	}
	if wanted(fixAll) {
		if action := snap.fixAllAction(ctx, patience, len(p.Context.Only) > 0); action != nil {
			actions = append(actions, action)
		}
	}
	return actions, nil
}

// bears is how long an answer may wait for the search for orders: not at each move of the cursor, nor with quick fixes
// once somebody has typed.
func (snap *snapshot) bears(asked *protocol.CodeActionContext) time.Duration {
	named := func(kind protocol.CodeActionKind) bool {
		return slices.ContainsFunc(asked.Only, func(only protocol.CodeActionKind) bool {
			return only != "" && (kind == only || strings.HasPrefix(string(kind), string(only)+"."))
		})
	}
	switch {
	case asked.TriggerKind == protocol.CodeActionTriggerKindAutomatic:
		return 0
	case named(protocol.CodeActionKindRefactorRewrite):
		return cmp.Or(snap.patience, ordersPatience)
	case named(fixAll):
		return cmp.Or(snap.patience, fixesPatience)
	case snap.asOpened:
		return cmp.Or(snap.patience, firstPatience)
	}
	return 0
}

// fixAllAction is the action of all safe fixes, nil if there is none. Where none of the fixes is safe and the action is
// asked for by name, it is disabled and says why.
func (snap *snapshot) fixAllAction(ctx context.Context, patience time.Duration, named bool) *protocol.CodeAction {
	kind := protocol.CodeActionKind(fixAll)
	action := &protocol.CodeAction{Title: fixAllTitle, Kind: &kind}
	if snap.can.resolvesEdits {
		if !snap.mayBeFixed() {
			return nil
		}
		action.Data = snap.reference()
		return action
	}
	edits, why := snap.allEdits(ctx, snap.fixesWithin(named), patience)
	if len(edits) > 0 {
		action.Edit = snap.workspaceEdit(edits)
		return action
	}
	if why == "" || !named || !snap.can.disabledActions {
		return nil
	}
	action.Disabled = protocol.CodeActionDisabled{Reason: why}
	return action
}

// mayBeFixed reports whether some fix is safe without asking, as far as it is known at once.
func (snap *snapshot) mayBeFixed() bool {
	offers, _ := snap.orders.known()
	return fixable(snap.file, snap.findings()) ||
		slices.ContainsFunc(offers.Rewrites, func(r reorder.Rewrite) bool { return r.Grade.Certain() })
}

// fixesWithin is how long an answer may wait for all fixes: on a damaged file it may take seconds to find which of them
// are good together.
func (snap *snapshot) fixesWithin(named bool) time.Duration {
	if named {
		return cmp.Or(snap.patience, fixesPatience)
	}
	return cmp.Or(snap.patience, leastPatience)
}

// allEdits are those of all fixes that are safe without asking, and of the orders, as far as they are known after so
// long; without any, why.
func (snap *snapshot) allEdits(ctx context.Context, fixes, orders time.Duration) (edits []source.Edit, why string) {
	safe, ok := snap.safeFixes.within(ctx, fixes)
	if why = whyNotFixed(safe); !ok {
		why = "It takes long to find which fixes are good together: ask again."
	}
	edits = slices.Clone(safe.Edits)
	offers, _ := snap.ordersBy(ctx, orders)
	for _, rewrite := range offers.Rewrites {
		if rewrite.Grade.Certain() && !touches(edits, rewrite.Edits) {
			edits = append(edits, rewrite.Edits...)
		}
	}
	return edits, why
}

// actionData says of which version of which document an action is, for codeAction/resolve.
type actionData struct {
	URI     uri.URI `json:"uri"`
	Version int32   `json:"version"`
}

func (snap *snapshot) reference() protocol.LSPAny {
	raw, _ := json.Marshal(actionData{snap.uri, snap.version}) // texts and numbers can always be written
	return raw
}

// resolveAction answers codeAction/resolve with the edits of all safe fixes: only who takes that action waits for them.
func resolveAction(ctx context.Context, s *session, action *protocol.CodeAction) (*protocol.CodeAction, error) {
	var of actionData
	if len(action.Data) == 0 || json.Unmarshal(action.Data, &of) != nil {
		return action, nil // it has its edits
	}
	snap := s.snapshotOf(of.URI)
	if snap == nil || snap.version != of.Version {
		return nil, protocol.ErrContentModified
	}
	edits, _ := snap.allEdits(ctx, resolvePatience, cmp.Or(snap.patience, fixesPatience))
	action.Edit = snap.workspaceEdit(edits)
	return action, nil
}

// graded is a rewrite's title with how sure it is, where that is less than proved.
func graded(r reorder.Rewrite) string {
	if r.Grade == reorder.Proved {
		return r.Title
	}
	return r.Title + " (" + string(r.Grade) + ")"
}

// gradedGain is how sure a rewrite is and what it gains, or does, in one sentence, which begins with what counts most:
// "Likely: about 32 s less per build, by estimate; about 10 of 100 builds would ...".
func gradedGain(r reorder.Rewrite) string {
	sentence, _, _ := strings.Cut(cmp.Or(r.Gain(), r.Explanation), "\n")
	sentence, _, _ = strings.Cut(sentence, ". ")
	sentence = strings.TrimSuffix(strings.Replace(sentence, "About ", "about ", 1), ".")
	if at := strings.LastIndex(sentence, ": about "); at >= 0 {
		sentence = sentence[at+len(": "):] + "; " + sentence[:at]
	}
	grade := string(r.Grade)
	return strings.ToUpper(grade[:1]) + grade[1:] + ": " + sentence
}

// annotate says in an edit what it does, for the preview of an editor that shows such annotations; with confirm it
// asks the user.
func (can *abilities) annotate(edit *protocol.WorkspaceEdit, label, description string, confirm bool) {
	if !can.annotations || len(edit.DocumentChanges) == 0 {
		return
	}
	const id = "change"
	note := protocol.ChangeAnnotation{Label: label, Description: &description}
	if confirm {
		note.NeedsConfirmation = &confirm
	}
	edit.ChangeAnnotations = map[protocol.ChangeAnnotationIdentifier]protocol.ChangeAnnotation{id: note}
	for _, change := range edit.DocumentChanges {
		if change, ok := change.(*protocol.TextDocumentEdit); ok {
			for i, element := range change.Edits {
				if plain, ok := element.(*protocol.TextEdit); ok {
					change.Edits[i] = &protocol.AnnotatedTextEdit{TextEdit: *plain, AnnotationID: id}
				}
			}
		}
	}
}

// touches reports whether some edits are of the same text as others.
func touches(some, others []source.Edit) bool {
	return slices.ContainsFunc(some, func(e source.Edit) bool {
		return slices.ContainsFunc(others, func(o source.Edit) bool { return e.Span.Overlaps(o.Span) })
	})
}

// workspaceEdit wraps edits of this version of the document, so that a client can refuse them on another.
func (snap *snapshot) workspaceEdit(edits []source.Edit) *protocol.WorkspaceEdit {
	changes := snap.can.encoding.edits(snap.file.Text, edits)
	if !snap.can.documentChanges {
		return &protocol.WorkspaceEdit{Changes: map[uri.URI][]protocol.TextEdit{snap.uri: changes}}
	}
	edit := &protocol.TextDocumentEdit{TextDocument: protocol.OptionalVersionedTextDocumentIdentifier{
		TextDocumentIdentifier: protocol.TextDocumentIdentifier{URI: snap.uri}, Version: &snap.version,
	}}
	for i := range changes {
		edit.Edits = append(edit.Edits, &changes[i])
	}
	return &protocol.WorkspaceEdit{DocumentChanges: []protocol.DocumentChange{edit}}
}
