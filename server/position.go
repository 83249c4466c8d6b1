package server

import (
	"unicode/utf8"

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

// negotiate returns the first of the client's encodings that we know, in the client's order of preference; UTF-16 is the
// protocol's default.
func negotiate(offered []protocol.PositionEncodingKind) encoding {
	for _, kind := range offered {
		switch e := encoding(kind); e {
		case utf8Units, utf16Units, utf32Units:
			return e
		}
	}
	return utf16Units
}

// width returns the units of one character that takes size bytes.
func (e encoding) width(r rune, size int) int {
	switch {
	case e == utf8Units:
		return size
	case e == utf16Units && r > 0xFFFF:
		return 2
	}
	return 1
}

// position returns the editor's position of a byte offset. An offset within a character counts as that character's start.
func (e encoding) position(t *source.Text, offset int) protocol.Position {
	offset = max(0, min(offset, t.Len()))
	line := t.LineAt(offset)
	start := t.LineStart(line)
	units := 0
	for rest := t.Slice(t.Line(line)); start < offset && rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		if start+size > offset {
			break
		}
		start, rest = start+size, rest[size:]
		units += e.width(r, size)
	}
	units += max(0, min(offset-start, 1)) // behind the "\r" of the terminator, if anything is left
	return protocol.Position{Line: uint32(line), Character: uint32(units)}
}

// offset returns the byte offset of an editor's position. Lines and characters beyond the end mean the end; a position
// within a character means its start. A position just behind a "\r" is taken as that, although the "\r" belongs to the
// terminator: editors that show a stray one address it.
func (e encoding) offset(t *source.Text, p protocol.Position) int {
	line := int(p.Line)
	if line >= t.LineCount() {
		return t.Len()
	}
	span := t.Line(line)
	at, left := span.Start, int(p.Character)
	for rest := t.Slice(span); left > 0 && rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		width := e.width(r, size)
		if width > left {
			return at
		}
		at, rest, left = at+size, rest[size:], left-width
	}
	if left == 1 && at < t.Len() && t.Slice(source.Span{Start: at, End: at + 1}) == "\r" {
		return at + 1
	}
	return at
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
