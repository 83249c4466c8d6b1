package server

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/layerwise/layerwise/analysis/outline"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

var symbolKinds = map[outline.SymbolKind]protocol.SymbolKind{
	outline.StageSymbol:       protocol.SymbolKindClass,
	outline.DirectiveSymbol:   protocol.SymbolKindProperty,
	outline.VariableSymbol:    protocol.SymbolKindVariable,
	outline.FileSymbol:        protocol.SymbolKindFile,
	outline.InstructionSymbol: protocol.SymbolKindFunction,
}

// documentSymbol answers textDocument/documentSymbol: a tree of stages, or for a client that takes no trees a list that
// names the stage of each instruction.
func documentSymbol(
	_ context.Context,
	snap *snapshot,
	_ *protocol.DocumentSymbolParams,
) (protocol.DocumentSymbolResult, error) {
	symbols := outline.Symbols(snap.file)
	if snap.can.symbolTree {
		return protocol.DocumentSymbolSlice(snap.symbolTree(symbols)), nil
	}
	list := protocol.SymbolInformationSlice{}
	var flatten func(symbols []outline.Symbol, container string)
	flatten = func(symbols []outline.Symbol, container string) {
		for _, s := range symbols {
			info := protocol.SymbolInformation{Location: snap.location(s.Span)}
			info.Name, info.Kind = s.Name, symbolKinds[s.Kind]
			if container != "" {
				info.ContainerName = &container
			}
			list = append(list, info)
			flatten(s.Children, s.Name)
		}
	}
	flatten(symbols, "")
	return list, nil
}

func (snap *snapshot) symbolTree(symbols []outline.Symbol) []protocol.DocumentSymbol {
	tree := make([]protocol.DocumentSymbol, len(symbols))
	for i, s := range symbols {
		tree[i] = protocol.DocumentSymbol{
			Name: s.Name, Kind: symbolKinds[s.Kind], Children: snap.symbolTree(s.Children),
			Range: snap.can.encoding.rangeOf(
				snap.file.Text,
				s.Span,
			), SelectionRange: snap.can.encoding.rangeOf(snap.file.Text, s.Select),
		}
		if s.Detail != "" {
			tree[i].Detail = &s.Detail
		}
	}
	return tree
}

// foldingRange answers textDocument/foldingRange.
func foldingRange(_ context.Context, snap *snapshot, _ *protocol.FoldingRangeParams) ([]protocol.FoldingRange, error) {
	ranges := []protocol.FoldingRange{}
	kinds := map[outline.FoldKind]protocol.FoldingRangeKind{
		outline.CommentFold: protocol.FoldingRangeKindComment, outline.RegionFold: protocol.FoldingRangeKindRegion,
	}
	for _, f := range outline.Folds(snap.file) {
		if snap.can.foldLimit > 0 && len(ranges) == snap.can.foldLimit {
			break
		}
		ranges = append(
			ranges,
			protocol.FoldingRange{StartLine: uint32(f.Start), EndLine: uint32(f.End), Kind: kinds[f.Kind]},
		)
	}
	return ranges, nil
}

// selectionRange answers textDocument/selectionRange.
func selectionRange(
	_ context.Context,
	snap *snapshot,
	p *protocol.SelectionRangeParams,
) ([]protocol.SelectionRange, error) {
	ranges := []protocol.SelectionRange{}
	for _, position := range p.Positions {
		spans := outline.Selection(snap.file, snap.can.encoding.offset(snap.file.Text, position))
		var all *protocol.SelectionRange
		for i := len(spans) - 1; i >= 0; i-- {
			all = &protocol.SelectionRange{Range: snap.can.encoding.rangeOf(snap.file.Text, spans[i]), Parent: all}
		}
		if all == nil { // the file is empty
			all = &protocol.SelectionRange{Range: protocol.Range{Start: position, End: position}}
		}
		ranges = append(ranges, *all)
	}
	return ranges, nil
}

// documentLink answers textDocument/documentLink. Of the build context only files lead somewhere: it is waited for.
func documentLink(
	ctx context.Context,
	snap *snapshot,
	_ *protocol.DocumentLinkParams,
) ([]protocol.DocumentLink, error) {
	links := []protocol.DocumentLink{}
	snap, err := snap.marked(ctx, false)
	if err != nil {
		return nil, err
	}
	for _, l := range outline.Links(snap.file, snap.names()) {
		target := uri.URI(l.URL)
		if l.Path != "" {
			if !snap.holdsFile(l.Path) {
				continue
			}
			target = uri.File(filepath.Join(snap.build.Context.Dir, filepath.FromSlash(l.Path)))
		}
		tip := titleText(l.Tip)
		links = append(
			links,
			protocol.DocumentLink{
				Range:   snap.can.encoding.rangeOf(snap.file.Text, l.Span),
				Target:  &target,
				Tooltip: &tip,
			},
		)
	}
	return links, nil
}

// holdsFile reports whether the build context is known to hold a file.
func (snap *snapshot) holdsFile(path string) bool {
	if snap.build == nil || snap.build.Context.Tree == nil {
		return false
	}
	node := snap.build.Context.Tree.Root()
	for name := range strings.SplitSeq(path, "/") {
		var next *buildcontext.Node
		for _, child := range node.Children() {
			if child.Name() == name {
				next = child
			}
		}
		if node = next; node == nil {
			return false
		}
	}
	return node.Type() != buildcontext.Dir
}

// encodeTokens gives each token as the protocol wants it: five numbers relative to the token before.
func (snap *snapshot) encodeTokens(tokens []outline.Token) []uint32 {
	data := make([]uint32, 0, 5*len(tokens))
	text, enc := snap.file.Text, snap.can.encoding
	var line, character uint32
	for _, t := range tokens {
		start := enc.position(text, t.Span.Start)
		end := enc.position(text, t.Span.End)
		if start.Line != line {
			character = 0
		}
		data = append(
			data,
			start.Line-line,
			start.Character-character,
			end.Character-start.Character,
			uint32(t.Type-1),
			uint32(t.Modifiers),
		)
		line, character = start.Line, start.Character
	}
	return data
}

func legend() protocol.SemanticTokensLegend {
	return protocol.SemanticTokensLegend{TokenTypes: outline.TokenTypes, TokenModifiers: outline.TokenModifiers}
}

// tokensWithin are the tokens that a span touches.
func tokensWithin(tokens []outline.Token, span source.Span) []outline.Token {
	var out []outline.Token
	for _, t := range tokens {
		if t.Span.Start < span.End && span.Start < t.Span.End {
			out = append(out, t)
		}
	}
	return out
}
