package server

import (
	"sort"

	"github.com/layerwise/layerwise/analysis/source"
	"go.lsp.dev/protocol"
)

// encoding translates between byte offsets and the editor's positions; nothing else in the product does. It is the unit
// in which the client counts characters within a line.
//
// Lines end with "\n" or "\r\n". A lone "\r" ends no line: the editors that can send one (Neovim, Emacs) show it within
// the line, the others normalise it away when they read the file.
type encoding protocol.PositionEncodingKind

const (
	utf8Units  = encoding(protocol.PositionEncodingKindUTF8)
	utf16Units = encoding(protocol.PositionEncodingKindUTF16)
	utf32Units = encoding(protocol.PositionEncodingKindUTF32)
)

// negotiate returns the first of the client's encodings that we know, in the client's order of preference; UTF-16 is
// the protocol's default.
func negotiate(offered []protocol.PositionEncodingKind) encoding {
	for _, kind := range offered {
		switch e := encoding(kind); e {
		case utf8Units, utf16Units, utf32Units:
			return e
		}
	}
	return utf16Units
}

// units returns how many units a part of a line takes.
func (e encoding) units(t *source.Text, span source.Span) int {
	all, astral := t.Characters(span)
	switch e {
	case utf8Units:
		return span.Len()
	case utf16Units:
		return all + astral
	}
	return all
}

// position returns the editor's position of a byte offset. An offset within a character counts as that character's
// start.
func (e encoding) position(t *source.Text, offset int) protocol.Position {
	offset = max(0, min(offset, t.Len()))
	line := t.LineAt(offset)
	span := t.Line(line)
	behind := max(0, min(offset-span.End, 1)) // the "\r" of the terminator
	if offset = min(offset, span.End); offset < span.End {
		offset = t.CharacterAt(offset).Start
	}
	units := e.units(t, source.Span{Start: span.Start, End: offset})
	return protocol.Position{Line: uint32(line), Character: uint32(units + behind)}
}

// offset returns the byte offset of an editor's position. Lines and characters beyond the end mean the end; a position
// within a character means its start. A position just behind a "\r" is taken as that, although the "\r" belongs to the
// terminator: editors that show a stray one address it.
func (e encoding) offset(t *source.Text, p protocol.Position) int {
	line := int(p.Line)
	if line >= t.EndLine() {
		return t.Len()
	}
	span, wanted := t.Line(line), int(p.Character)
	whole := e.units(t, span)
	if wanted >= whole {
		if wanted == whole+1 && span.End < t.Len() && t.Slice(source.Span{Start: span.End, End: span.End + 1}) == "\r" {
			return span.End + 1
		}
		return span.End
	}
	if whole == span.Len() {
		return t.CharacterAt(span.Start + wanted).Start
	}
	// The last place in front of which there are no more units than are wanted.
	n := sort.Search(span.Len(), func(n int) bool {
		return e.units(t, source.Span{Start: span.Start, End: span.Start + n + 1}) > wanted
	})
	return t.CharacterAt(span.Start + n).Start
}

func (e encoding) rangeOf(t *source.Text, span source.Span) protocol.Range {
	return protocol.Range{Start: e.position(t, span.Start), End: e.position(t, span.End)}
}

// span returns the bytes of an editor's range; a range that ends before it starts is empty.
func (e encoding) span(t *source.Text, r protocol.Range) source.Span {
	start := e.offset(t, r.Start)
	return source.Span{Start: start, End: max(start, e.offset(t, r.End))}
}

// edits translates edits of the text for an editor.
func (e encoding) edits(t *source.Text, edits []source.Edit) []protocol.TextEdit {
	out := make([]protocol.TextEdit, len(edits))
	for i, edit := range edits {
		out[i] = protocol.TextEdit{Range: e.rangeOf(t, edit.Span), NewText: edit.NewText}
	}
	return out
}
