package server

import (
	"context"
	"fmt"

	"github.com/layerwise/layerwise/analysis/complete"
	"github.com/layerwise/layerwise/analysis/describe"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"go.lsp.dev/protocol"
)

// completionTriggers are the characters at which an editor asks for completion by itself, beside letters.
var completionTriggers = []string{" ", "-", "=", ",", "$", "{", "%", ":", "/", "@", "#", "\"", "<"}

// completion answers textDocument/completion. Where the build context is still being read, the list is marked as
// incomplete. Where there is nothing to complete, as in a comment, it is null.
func completion(_ context.Context, snap *snapshot, p *protocol.CompletionParams) (*protocol.CompletionList, error) {
	answer := &protocol.CompletionList{Items: []protocol.CompletionItem{}}
	offset := snap.can.encoding.offset(snap.file.Text, p.Position)
	list := complete.At(snap.file, snap.variables(), offset, complete.World{
		Context: contextLister(snap), Images: snap.images, Tags: snap.tags, TabStops: snap.can.snippets,
	})
	answer.IsIncomplete = list.Partial || snap.build == nil
	if len(list.Items) == 0 && !answer.IsIncomplete {
		return nil, nil
	}
	for i, it := range list.Items {
		answer.Items = append(answer.Items, snap.completionItem(i, it, offset))
	}
	return answer, nil
}

func (snap *snapshot) completionItem(i int, it complete.Item, offset int) protocol.CompletionItem {
	kind := completionKinds[it.Kind]
	sort := fmt.Sprintf("%04d", i)
	filter := it.Filter
	if filter == "" {
		filter = it.Label
	}
	item := protocol.CompletionItem{
		Label:      it.Label,
		Kind:       kind,
		SortText:   protocol.NewOptional(sort),
		FilterText: protocol.NewOptional(filter),
	}
	span := snap.can.encoding.rangeOf(snap.file.Text, it.Span)
	if snap.can.insertReplace && !it.Whole && it.Span.End > offset {
		front := snap.can.encoding.rangeOf(snap.file.Text, source.Span{Start: it.Span.Start, End: offset})
		item.TextEdit = &protocol.InsertReplaceEdit{NewText: it.Text, Insert: front, Replace: span}
	} else {
		item.TextEdit = &protocol.TextEdit{Range: span, NewText: it.Text}
	}
	if it.More && snap.can.suggestCommand != "" {
		item.Command = protocol.Command{Title: "Suggest", Command: snap.can.suggestCommand}
	}
	if it.Detail != "" {
		item.Detail = protocol.NewOptional(it.Detail)
	}
	if it.TabStops {
		item.InsertTextFormat = protocol.InsertTextFormatSnippet
	}
	if it.Doc != "" {
		item.Data, _ = protocol.Marshal(it.Doc)
	}
	return item
}

var completionKinds = map[complete.Kind]protocol.CompletionItemKind{
	complete.Keyword: protocol.CompletionItemKindKeyword, complete.Snippet: protocol.CompletionItemKindSnippet,
	complete.Flag: protocol.CompletionItemKindField,
	complete.Key:  protocol.CompletionItemKindProperty, complete.Value: protocol.CompletionItemKindEnumMember,
	complete.Variable: protocol.CompletionItemKindVariable,
	complete.File:     protocol.CompletionItemKindFile, complete.Folder: protocol.CompletionItemKindFolder,
	complete.Stage: protocol.CompletionItemKindReference,
	complete.Image: protocol.CompletionItemKindModule, complete.Tag: protocol.CompletionItemKindConstant,
	complete.Check: protocol.CompletionItemKindValue,
	complete.User:  protocol.CompletionItemKindValue,
}

// resolveCompletion answers completionItem/resolve with the documentation, which the list leaves out.
func resolveCompletion(s *session, item *protocol.CompletionItem) (*protocol.CompletionItem, error) {
	var doc string
	if len(item.Data) > 0 && protocol.Unmarshal(item.Data, &doc) == nil {
		if text := describe.Key(doc); text != "" {
			item.Documentation = markup(text, s.can.completionMarkdown)
		}
	}
	return item, nil
}

// contextLister lists directories of the snapshot's build context; nil if there is none.
func contextLister(snap *snapshot) func(dir string) []complete.Entry {
	if snap.build == nil || snap.build.Context.Tree == nil {
		return nil
	}
	tree := snap.build.Context.Tree
	return func(dir string) []complete.Entry {
		node := tree.Root()
		if dir != "" {
			node, _ = tree.Lookup(dir)
		}
		if node == nil {
			return nil
		}
		var entries []complete.Entry
		for _, child := range node.Children() {
			meta := child.Meta()
			entry := complete.Entry{Name: child.Name(), Dir: meta.Type == buildcontext.Dir, Size: meta.Size}
			entries = append(entries, entry)
		}
		return entries
	}
}
