package server

import (
	"regexp"
	"strings"

	"github.com/layerwise/layerwise/analysis/describe"
	"go.lsp.dev/protocol"
)

// markup is a text in Markdown for a client, plain if that is all that it shows.
func markup(text string, markdown bool) *protocol.MarkupContent {
	if markdown {
		return &protocol.MarkupContent{Kind: protocol.MarkupKindMarkdown, Value: text}
	}
	return &protocol.MarkupContent{Kind: protocol.MarkupKindPlainText, Value: plainText(text)}
}

// titleText is a text of which parts are names in somebody's folder, for a title or a message: all of it can be seen,
// and what editors make links or icons of there, "[x](command:y)" and "$(x)", is text.
func titleText(s string) string { return titleEscapes.Replace(describe.Visible(s)) }

var titleEscapes = strings.NewReplacer("](", "] (", "$(", "$ (")

var (
	codeFence    = regexp.MustCompile("(?m)^```.*\n?")
	markdownLink = regexp.MustCompile(`\[([^\]]*)\]\((https?://[^)]*)\)`)
	rule         = regexp.MustCompile(`(?m)^---$`)
	emphasis     = strings.NewReplacer("**", "", "`` ", "", " ``", "", "`", "")
)

// plainText is a text in Markdown as one reads it.
func plainText(markdown string) string {
	text := codeFence.ReplaceAllString(markdown, "")
	text = markdownLink.ReplaceAllString(text, "$1: $2")
	text = rule.ReplaceAllString(text, "────────")
	return strings.TrimSpace(emphasis.Replace(text))
}
