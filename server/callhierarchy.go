package server

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/layerwise/layerwise/analysis/navigate"
	"go.lsp.dev/protocol"
)

// The call hierarchy of a Dockerfile is that of its stages: a stage calls those that it is built on, copies from or
// mounts.

// prepareCallHierarchy answers textDocument/prepareCallHierarchy: the stage that is named at the position, else the one
// around it.
func prepareCallHierarchy(
	_ context.Context,
	snap *snapshot,
	p *protocol.CallHierarchyPrepareParams,
) ([]protocol.CallHierarchyItem, error) {
	stage := -1
	if o := snap.named(p.Position); o != nil && o.Symbol.Kind == navigate.Stage {
		stage = o.Symbol.Stage
	} else if in := snap.file.InstructionAt(snap.can.encoding.offset(snap.file.Text, p.Position)); in != nil {
		stage = in.Stage
	}
	if stage < 0 {
		return nil, nil
	}
	return []protocol.CallHierarchyItem{snap.stageItem(stage)}, nil
}

// stageItem describes a stage. Its data is the stage's number, for the requests that follow.
func (snap *snapshot) stageItem(stage int) protocol.CallHierarchyItem {
	st := snap.file.Stages[stage]
	name, span := st.Name, st.NameWord.Span
	if name == "" {
		name, span = fmt.Sprintf("stage %d", stage), st.From.Keyword.Span
	}
	detail := "FROM " + st.Base.Text
	return protocol.CallHierarchyItem{
		Name: name, Kind: protocol.SymbolKindClass, Detail: &detail, URI: snap.uri,
		Range: snap.can.encoding.rangeOf(
			snap.file.Text,
			st.Span,
		), SelectionRange: snap.can.encoding.rangeOf(snap.file.Text, span),
		Data: protocol.LSPAny(fmt.Sprintf(`{"stage":%d,"name":%q}`, stage, st.Name)),
	}
}

// stageOf returns the stage that an item stands for in this version of the file, -1 if it is gone.
func (snap *snapshot) stageOf(item *protocol.CallHierarchyItem) int {
	var data struct {
		Stage int
		Name  string
	}
	if json.Unmarshal(item.Data, &data) != nil {
		return -1
	}
	stages := snap.file.Stages
	if data.Stage >= 0 && data.Stage < len(stages) && stages[data.Stage].Name == data.Name {
		return data.Stage
	}
	for _, st := range stages {
		if data.Name != "" && st.Name == data.Name {
			return st.Index
		}
	}
	return -1
}

// incomingCalls answers callHierarchy/incomingCalls: who uses this stage.
func incomingCalls(
	_ context.Context,
	snap *snapshot,
	p *protocol.CallHierarchyIncomingCallsParams,
) ([]protocol.CallHierarchyIncomingCall, error) {
	calls := []protocol.CallHierarchyIncomingCall{}
	if stage := snap.stageOf(&p.Item); stage >= 0 {
		for _, user := range snap.names().Users(stage) {
			calls = append(
				calls,
				protocol.CallHierarchyIncomingCall{From: snap.stageItem(user.Stage), FromRanges: snap.useRanges(user)},
			)
		}
	}
	return calls, nil
}

// outgoingCalls answers callHierarchy/outgoingCalls: what this stage is made of.
func outgoingCalls(
	_ context.Context,
	snap *snapshot,
	p *protocol.CallHierarchyOutgoingCallsParams,
) ([]protocol.CallHierarchyOutgoingCall, error) {
	calls := []protocol.CallHierarchyOutgoingCall{}
	if stage := snap.stageOf(&p.Item); stage >= 0 {
		for _, user := range snap.names().Needs(stage) {
			calls = append(
				calls,
				protocol.CallHierarchyOutgoingCall{To: snap.stageItem(user.Stage), FromRanges: snap.useRanges(user)},
			)
		}
	}
	return calls, nil
}

func (snap *snapshot) useRanges(user navigate.User) []protocol.Range {
	var ranges []protocol.Range
	for _, use := range user.Uses {
		ranges = append(ranges, snap.can.encoding.rangeOf(snap.file.Text, use.Span))
	}
	return ranges
}
