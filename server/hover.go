package server

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/describe"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
	"go.lsp.dev/protocol"
)

// hover answers textDocument/hover: on an instruction's first word, and where nothing else is to be said, why it is
// cached or rebuilt, and under a rule what the word means; on any other word what that means, and under a rule the
// mark.
func hover(ctx context.Context, snap *snapshot, p *protocol.HoverParams) (*protocol.Hover, error) {
	waiting, cancel := context.WithTimeout(ctx, cmp.Or(snap.patience, hoverPatience))
	defer cancel()
	switch marked, err := snap.marked(waiting, false); {
	case err == nil:
		snap = marked
	case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
		return nil, err
	}
	offset := snap.can.encoding.offset(snap.file.Text, p.Position)
	world := describe.World{}
	if snap.build != nil {
		world.Copied = snap.copied
	}
	if snap.settings.Registry == "on" {
		world.Published = func(ref string) *describe.Published { return snap.published(waiting, ref) }
	}
	span, about := describe.At(snap.file, snap.variables(), offset, world)
	if snap.settings.MarksOnly {
		about = ""
	}
	verdict, below := "", false
	if in := snap.file.InstructionAt(offset); in != nil && snap.build == nil {
		verdict = "Whether this is cached is not known yet: the build context is being read."
	} else if in != nil {
		if step := snap.marks().byLine[in.Line]; step != nil {
			if about == "" || in.Keyword.Span.Contains(offset) {
				verdict = explain(snap, step, snap.can.markdown)
			} else {
				verdict, below = mark(step, snap.can.markdown), true
			}
		}
	}
	if verdict == "" && about == "" {
		return nil, nil
	}
	if !snap.can.markdown {
		about = plainText(about)
	}
	parts := []string{verdict, about}
	if below {
		parts = []string{about, verdict}
	}
	rule := "\n\n────────\n\n"
	if snap.can.markdown {
		rule = "\n\n---\n\n"
	}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	text := strings.Join(parts, rule)
	if snap.build != nil {
		text = cachemodel.HideSecrets(text, cachemodel.Secrets(snap.build.Settings.Args)) // a file may be named by one
	}
	kind := protocol.MarkupKindPlainText
	if snap.can.markdown {
		kind = protocol.MarkupKindMarkdown
	}
	at := snap.can.encoding.rangeOf(snap.file.Text, span)
	return &protocol.Hover{Contents: &protocol.MarkupContent{Kind: kind, Value: text}, Range: &at}, nil
}

// copied says what an instruction, by index, reads of the build context; nil if there is none.
func (snap *snapshot) copied(instruction int) *describe.Copied {
	if snap.build.Context.Tree == nil {
		return nil
	}
	m := snap.marks()
	if m.plan == nil || instruction >= m.plan.Len() {
		return nil
	}
	files, err := m.plan.Files(instruction)
	c := &describe.Copied{}
	for path, node := range files {
		c.Files = append(c.Files, describe.File{Path: path, Size: node.Meta().Size})
	}
	if err != nil {
		c.Problem = strings.ReplaceAll(err.Error(), "\n", "; ") + "."
	}
	c.Ignored = snap.build.ignoredBy(snap.file.Instructions[instruction])
	return c
}

// mostLooked is how many entries of the build context are looked at for those that are ignored.
const mostLooked = 5000

// ignoredBy lists what lies in an instruction's sources, as they are written, but is left out by the ignore file: of a
// directory that is left out with all that is in it, only the directory.
func (b *build) ignoredBy(in *dockerfile.Instruction) []string {
	if in.Trigger != nil {
		in = in.Trigger
	}
	for _, f := range in.Flags {
		if f.Name.Text == "from" {
			return nil
		}
	}
	var ignored []string
	left := mostLooked
	var look func(name string, above buildcontext.IgnoreState)
	look = func(name string, above buildcontext.IgnoreState) {
		if left--; left < 0 {
			return
		}
		info, err := os.Lstat(filepath.Join(b.Context.Dir, filepath.FromSlash(name)))
		if err != nil {
			return
		}
		var state buildcontext.IgnoreState
		if name != "." {
			out, enter, s := b.Context.Tree.Ignore().Match(name, above)
			state = s
			if out && (!info.IsDir() || !enter) {
				ignored = append(ignored, name)
				return
			}
		}
		if !info.IsDir() {
			return
		}
		entries, _ := os.ReadDir(filepath.Join(b.Context.Dir, filepath.FromSlash(name)))
		for _, e := range entries {
			look(path.Join(name, e.Name()), state)
		}
	}
	for _, word := range in.Args[:max(0, len(in.Args)-1)] {
		name := word.Text
		if in.JSON && len(name) > 1 {
			name = name[1 : len(name)-1]
		}
		if name = path.Clean("/" + name)[1:]; name == "" {
			name = "."
		}
		var state buildcontext.IgnoreState // of the directories above
		for i := range name {
			if name[i] == '/' {
				_, _, state = b.Context.Tree.Ignore().Match(name[:i], state)
			}
		}
		look(name, state)
	}
	return ignored
}
