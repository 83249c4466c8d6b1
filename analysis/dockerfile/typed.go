package dockerfile

import (
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Typed gives what BuildKit makes of a node: instructions.Command or *instructions.Stage, of the caller's own. Unlike
// instructions.ParseInstruction it does not panic where a comment above sets build checks ("# check=skip=...").
func Typed(node *parser.Node) (any, error) {
	var quiet *linter.Linter
	if len(node.PrevComment) > 0 {
		quiet = linter.New(&linter.Config{})
	}
	return instructions.ParseInstructionWithLinter(node, quiet)
}
