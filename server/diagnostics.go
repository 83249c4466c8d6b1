package server

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/describe"
	"github.com/layerwise/layerwise/analysis/rules"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// mostDiagnostics is how many a document has: what VS Code shows of one file, and all that anybody reads.
const mostDiagnostics = 1000

// diagnostics are the snapshot's findings in the client's terms. Of very many the most serious are given, and a note
// that says so.
func (snap *snapshot) diagnostics() []protocol.Diagnostic {
	var findings []analysis.Finding
	if !snap.settings.MarksOnly {
		findings = snap.findings()
	}
	all := len(findings)
	if all > mostDiagnostics {
		findings = slices.Clone(findings)
		slices.SortStableFunc(findings, func(a, b analysis.Finding) int { return int(a.Severity) - int(b.Severity) })
		findings = findings[:mostDiagnostics]
	}
	out := make([]protocol.Diagnostic, len(findings), len(findings)+1)
	for i, f := range findings {
		out[i] = snap.diagnostic(f)
	}
	if all > mostDiagnostics {
		out = append(out, snap.diagnostic(analysis.Finding{
			Rule: "too-many-findings", Severity: analysis.Information, Message: fmt.Sprintf(
				"%d findings, of which the %d most serious are shown; \"layerwise check\" lists all", all, mostDiagnostics),
		}))
	}
	return out
}

func (snap *snapshot) diagnostic(f analysis.Finding) protocol.Diagnostic {
	code, page := rules.Code(f)
	d := protocol.Diagnostic{
		Range:    snap.can.encoding.rangeOf(snap.file.Text, f.Span),
		Severity: protocol.DiagnosticSeverity(f.Severity), // the numbers are the protocol's
		Code:     protocol.String(code),
		Source:   protocol.NewOptional("layerwise"),
		Message:  protocol.String(describe.Visible(f.Message)),
	}
	if page != "" {
		d.CodeDescription = protocol.CodeDescription{Href: uri.URI(page)}
	}
	return d
}

// diagnostic answers textDocument/diagnostic. The result id is a digest of the items, so that an edit which changes no
// finding costs the client nothing.
//
// What needs the build context is found when that has been read: then a client that can be told to ask again is.
func diagnostic(
	ctx context.Context,
	snap *snapshot,
	p *protocol.DocumentDiagnosticParams,
) (protocol.DocumentDiagnosticReport, error) {
	items := []protocol.Diagnostic{}
	if snap != nil {
		snap, err := snap.marked(ctx, snap.can.refreshDiagnostics)
		if err != nil {
			return nil, err
		}
		items = snap.diagnostics()
	}
	id, err := digestOf(items)
	if err != nil {
		return nil, err
	}
	if p.PreviousResultID != nil && *p.PreviousResultID == id {
		return &protocol.RelatedUnchangedDocumentDiagnosticReport{
			UnchangedDocumentDiagnosticReport: protocol.UnchangedDocumentDiagnosticReport{
				Kind:     "unchanged",
				ResultID: id,
			},
		}, nil
	}
	return &protocol.RelatedFullDocumentDiagnosticReport{
		FullDocumentDiagnosticReport: protocol.FullDocumentDiagnosticReport{Kind: "full", ResultID: &id, Items: items},
	}, nil
}

// digestOf is the result id of diagnostics.
func digestOf(items []protocol.Diagnostic) (string, error) {
	raw, err := protocol.Marshal(items)
	if err != nil {
		return "", err
	}
	digest := fnv.New64a()
	digest.Write(raw)
	return strconv.FormatUint(digest.Sum64(), 36), nil
}
