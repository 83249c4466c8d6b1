package server

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"go.lsp.dev/protocol"
)

// tokenHistory remembers the last answers about a document's semantic tokens, so that the next says only what differs.
type tokenHistory struct {
	mu    sync.Mutex
	count int
	sent  []tokenAnswer
}

type tokenAnswer struct {
	id   string
	data []uint32
}

// rememberedAnswers bounds them: an editor asks for the difference to the last, but may have several requests under
// way.
const rememberedAnswers = 3

// remember returns an id for an answer.
func (h *tokenHistory) remember(data []uint32) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
	id := strconv.Itoa(h.count)
	h.sent = append(h.sent, tokenAnswer{id, data})
	if len(h.sent) > rememberedAnswers {
		h.sent = slices.Clone(h.sent[1:])
	}
	return id
}

func (h *tokenHistory) find(id string) ([]uint32, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range h.sent {
		if a.id == id {
			return a.data, true
		}
	}
	return nil, false
}

// semanticTokensFull answers textDocument/semanticTokens/full.
func semanticTokensFull(
	_ context.Context,
	snap *snapshot,
	_ *protocol.SemanticTokensParams,
) (*protocol.SemanticTokens, error) {
	data := snap.tokens()
	id := snap.history.remember(data)
	return &protocol.SemanticTokens{ResultID: &id, Data: data}, nil
}

// semanticTokensRange answers textDocument/semanticTokens/range.
func semanticTokensRange(
	_ context.Context,
	snap *snapshot,
	p *protocol.SemanticTokensRangeParams,
) (*protocol.SemanticTokens, error) {
	span := snap.can.encoding.span(snap.file.Text, p.Range)
	return &protocol.SemanticTokens{Data: snap.encodeTokens(tokensWithin(snap.tokenList(), span))}, nil
}

// semanticTokensDelta answers textDocument/semanticTokens/full/delta: one edit that covers all that differs.
func semanticTokensDelta(
	_ context.Context,
	snap *snapshot,
	p *protocol.SemanticTokensDeltaParams,
) (protocol.SemanticTokensDeltaResult, error) {
	data := snap.tokens()
	old, known := snap.history.find(p.PreviousResultID)
	id := snap.history.remember(data)
	if !known {
		return &protocol.SemanticTokens{ResultID: &id, Data: data}, nil
	}
	same := 0
	for same < len(old) && same < len(data) && old[same] == data[same] {
		same++
	}
	tail := 0
	for tail < len(old)-same && tail < len(data)-same && old[len(old)-1-tail] == data[len(data)-1-tail] {
		tail++
	}
	delta := &protocol.SemanticTokensDelta{ResultID: &id, Edits: []protocol.SemanticTokensEdit{}}
	if same+tail < len(old) || same+tail < len(data) {
		delta.Edits = append(delta.Edits, protocol.SemanticTokensEdit{
			Start: uint32(same), DeleteCount: uint32(len(old) - same - tail), Data: data[same : len(data)-tail],
		})
	}
	return delta, nil
}
