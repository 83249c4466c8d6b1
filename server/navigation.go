package server

import (
	"context"
	"path/filepath"

	"github.com/layerwise/layerwise/analysis/navigate"
	"github.com/layerwise/layerwise/analysis/outline"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// named returns what is named at an editor's position, or nil.
func (snap *snapshot) named(p protocol.Position) *navigate.Occurrence {
	return snap.names().At(snap.can.encoding.offset(snap.file.Text, p))
}

func (snap *snapshot) location(span source.Span) protocol.Location {
	return protocol.Location{URI: snap.uri, Range: snap.can.encoding.rangeOf(snap.file.Text, span)}
}

// definition answers textDocument/definition: where a stage, variable or heredoc gets its name. On a definition it
// gives that itself, so that editors offer its references instead. A source that COPY or ADD takes leads to its file,
// if the build context is known to hold it.
func definition(_ context.Context, snap *snapshot, p *protocol.DefinitionParams) (protocol.DefinitionResult, error) {
	o := snap.named(p.Position)
	if o == nil {
		return snap.sourceAt(p.Position), nil
	}
	if o.Definition == nil {
		return nil, nil
	}
	at := snap.location(o.Definition.Span)
	return &at, nil
}

// sourceAt returns the file that COPY or ADD takes at an editor's position; nil if there is none.
func (snap *snapshot) sourceAt(p protocol.Position) protocol.DefinitionResult {
	if snap.build == nil || snap.build.Context.Tree == nil {
		return nil
	}
	offset := snap.can.encoding.offset(snap.file.Text, p)
	for _, l := range outline.Links(snap.file, snap.names()) {
		if l.Path == "" || offset < l.Span.Start || offset > l.Span.End {
			continue
		}
		node, ok := snap.build.Context.Tree.Lookup(l.Path)
		if ok && node.Type() == buildcontext.File { // a symbolic link may lead out of the context
			path := filepath.Join(snap.build.Context.Dir, filepath.FromSlash(l.Path))
			return &protocol.Location{URI: uri.File(path)}
		}
	}
	return nil
}

// references answers textDocument/references, in order of position.
func references(_ context.Context, snap *snapshot, p *protocol.ReferenceParams) ([]protocol.Location, error) {
	locations := []protocol.Location{}
	if o := snap.named(p.Position); o != nil {
		for _, use := range o.Symbol.Uses {
			if use.Access == navigate.Read || p.Context.IncludeDeclaration {
				locations = append(locations, snap.location(use.Span))
			}
		}
	}
	return locations, nil
}

// documentHighlight answers textDocument/documentHighlight.
func documentHighlight(
	_ context.Context,
	snap *snapshot,
	p *protocol.DocumentHighlightParams,
) ([]protocol.DocumentHighlight, error) {
	highlights := []protocol.DocumentHighlight{}
	if o := snap.named(p.Position); o != nil {
		for _, use := range o.Symbol.Uses {
			kind := protocol.DocumentHighlightKindRead
			if use.Access == navigate.Write {
				kind = protocol.DocumentHighlightKindWrite
			}
			highlights = append(
				highlights,
				protocol.DocumentHighlight{Range: snap.can.encoding.rangeOf(snap.file.Text, use.Span), Kind: kind},
			)
		}
	}
	return highlights, nil
}

// linkedEditing answers textDocument/linkedEditingRange: the delimiters of a heredoc and the places that name a stage
// change together while one of them is typed.
func linkedEditing(
	_ context.Context,
	snap *snapshot,
	p *protocol.LinkedEditingRangeParams,
) (*protocol.LinkedEditingRanges, error) {
	o := snap.named(p.Position)
	if o == nil || len(o.Symbol.Uses) < 2 || o.Fixed ||
		o.Symbol.Kind != navigate.Heredoc && o.Symbol.Kind != navigate.Stage {
		return nil, nil
	}
	if _, err := snap.names().Renamable(o.Span.Start); err != nil {
		return nil, nil
	}
	pattern := `[a-zA-Z0-9_.-]+`
	linked := &protocol.LinkedEditingRanges{WordPattern: &pattern}
	text := snap.file.Text.Slice(o.Span)
	for _, use := range o.Symbol.Uses {
		switch {
		case use.Fixed:
		case snap.file.Text.Slice(use.Span) != text: // the protocol wants them equal
			return nil, nil
		default:
			linked.Ranges = append(linked.Ranges, snap.can.encoding.rangeOf(snap.file.Text, use.Span))
		}
	}
	return linked, nil
}

// prepareRename answers textDocument/prepareRename: the name, or an error that says why it cannot be changed.
func prepareRename(
	_ context.Context,
	snap *snapshot,
	p *protocol.PrepareRenameParams,
) (protocol.PrepareRenameResult, error) {
	o, err := snap.names().Renamable(snap.can.encoding.offset(snap.file.Text, p.Position))
	if err != nil {
		return nil, refused(err)
	}
	if o == nil {
		return nil, nil
	}
	return &protocol.PrepareRenamePlaceholder{
		Range: snap.can.encoding.rangeOf(snap.file.Text, o.Span), Placeholder: snap.file.Text.Slice(o.Span),
	}, nil
}

// startRename answers textDocument/rename in a Dockerfile: see renameEdit.
func startRename(s *session, params []byte) (func(context.Context) (any, error), error) {
	p, err := decode[protocol.RenameParams](params)
	if err != nil {
		return nil, err
	}
	snap := s.snapshotOf(p.TextDocument.URI)
	return func(ctx context.Context) (any, error) {
		if ctx.Err() != nil || snap == nil {
			return nil, ctx.Err()
		}
		r, err := snap.names().Rename(snap.can.encoding.offset(snap.file.Text, p.Position), p.NewName)
		if err != nil {
			return nil, refused(err)
		}
		to := &renaming{Rename: r, file: snap.file, to: p.NewName}
		if isFile(snap.uri) {
			to.path = filepath.FromSlash(snap.uri.FsPath())
		}
		return s.renameEdit(ctx, to, snap.uri, &snap.version), nil
	}, nil
}

// refused is the answer to a request that makes no sense here, in words for people.
func refused(err error) error {
	return jsonrpc2.NewError(jsonrpc2.Code(protocol.LSPErrorCodesRequestFailed), "Cannot rename: "+err.Error()+".")
}
