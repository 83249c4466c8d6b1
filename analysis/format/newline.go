package format

import (
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// NewLine returns the edit that indents the 0-based line, which is empty yet, like the continued line above it, or by
// one step if that is an instruction's first. White space alone means nothing.
func NewLine(file *dockerfile.File, o Options, line int) []source.Edit {
	text := file.Text
	if line <= text.FirstLine() || line >= text.EndLine() || strings.TrimSpace(text.Slice(text.Line(line))) != "" {
		return nil
	}
	span, above := text.Line(line), text.Line(line-1)
	in := file.InstructionAt(above.End)
	if in == nil || in.Span.Start > above.End || len(in.Heredocs) > 0 && span.Start >= in.Heredocs[0].Body.Start {
		return nil
	}
	content := strings.TrimRight(text.Slice(above), " \t")
	if !strings.HasSuffix(content, string(file.Escape)) && !strings.HasPrefix(strings.TrimLeft(content, " \t"), "#") ||
		strings.HasSuffix(content, string([]byte{file.Escape, file.Escape})) {
		return nil
	}
	indent := content[:len(content)-len(strings.TrimLeft(content, " \t"))]
	if text.LineAt(in.Span.Start) == line-1 {
		if indent = o.Indent; indent == "" {
			indent = "\t"
		}
	}
	if text.Slice(span) == indent {
		return nil
	}
	return []source.Edit{{Span: span, NewText: indent}}
}
