package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/analysis/reorder"
	"github.com/layerwise/layerwise/analysis/source"
	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// verifyOrderCommand builds the Dockerfile as it is and as a rewrite would make it, compares the images, and applies
// the rewrite if they are the same: [uri, title of the rewrite].
const verifyOrderCommand = "layerwise.verifyOrder"

// mostShown is how many differences a message names; the log has more.
const (
	mostShown  = 3
	mostLogged = 50
)

func verifyOrder(ctx context.Context, s *session, u uri.URI, title string) error {
	if s.untrusted {
		return jsonrpc2.NewError(jsonrpc2.InvalidRequest, "nothing is built for a folder that is not trusted")
	}
	d, snap, err := s.openDockerfile(ctx, u)
	if err != nil {
		return err
	}
	offers, _ := snap.ordersBy(ctx, time.Hour) // the build takes long, too
	r := rewriteOf(offers.Rewrites, title)
	if r == nil || d.path == "" {
		return jsonrpc2.NewError(jsonrpc2.InvalidParams, "no such reordering is offered: "+title)
	}
	before := snap.file.Text.String()
	after, err := source.Apply(before, r.Edits)
	if err != nil {
		return err
	}
	builder, err := snap.build.Builder(snap.settings.verifyingDaemon(), "")
	if err != nil {
		s.answer(protocol.MessageTypeError, sentence(err.Error()))
		return nil
	}
	p := s.longWork(ctx, "Verifying on "+builder.String())
	defer p.done()
	result, err := builder.Verify(p.ctx, d.path, before, after, p.report)
	switch {
	case p.ctx.Err() != nil: // the person has had enough
		return nil
	case err != nil:
		s.answer(protocol.MessageTypeError, sentence(firstLine(err.Error())))
		s.tell(protocol.MessageTypeError, err.Error())
		return nil
	case len(result.Differences) > 0:
		var found []string
		for _, difference := range result.Differences[:min(len(result.Differences), mostLogged)] {
			found = append(found, difference.String())
		}
		s.tell(protocol.MessageTypeWarning, "the images differ: "+strings.Join(found, "; "))
		s.answer(protocol.MessageTypeWarning, fmt.Sprintf(
			"Nothing is changed: the reordering makes another image. %s (%d in all, see the log)",
			strings.Join(found[:min(len(found), mostShown)], "; "), len(result.Differences)))
		return nil
	}
	if err := snap.build.Remember(s.store, before, after, builder, result); err != nil {
		s.tell(protocol.MessageTypeWarning, "the verification is not kept: "+err.Error())
	}
	label := "Verified: " + r.Title
	answer, err := s.client.ApplyEdit(ctx, &protocol.ApplyWorkspaceEditParams{
		Label: &label, Edit: *snap.workspaceEdit(r.Edits),
	})
	if err == nil && answer != nil && !answer.Applied {
		s.answer(protocol.MessageTypeInfo, "Both images are the same, but the change was not applied: the file has "+
			"been edited since.")
	}
	return err
}

// rewriteOf gives the rewrite of a title, or the part of one.
func rewriteOf(rewrites []reorder.Rewrite, title string) *reorder.Rewrite {
	for i := range rewrites {
		if rewrites[i].Title == title {
			return &rewrites[i]
		}
		at := slices.IndexFunc(rewrites[i].Parts, func(part reorder.Rewrite) bool { return part.Title == title })
		if at >= 0 {
			return &rewrites[i].Parts[at]
		}
	}
	return nil
}

// verifyingDaemon is the address of the daemon that verifies, "" for that of BUILDKIT_HOST, or buildx.
func (own settings) verifyingDaemon() string {
	if own.BuildKit == "off" {
		return ""
	}
	return own.BuildKit
}

// verifiedBy is the builder that can verify rewrites, "" if there is none: nothing is asked of it.
func (snap *snapshot) verifiedBy() string {
	if snap.build == nil || !snap.can.applyEdit {
		return ""
	}
	builder, err := snap.build.Builder(snap.settings.verifyingDaemon(), "")
	if err != nil || !builder.Available() {
		return ""
	}
	return builder.String()
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// answer shows the person what came of what they asked for.
func (s *session) answer(level protocol.MessageType, message string) {
	_ = s.client.ShowMessage(s.ctx, &protocol.ShowMessageParams{Type: level, Message: titleText(message)})
}
