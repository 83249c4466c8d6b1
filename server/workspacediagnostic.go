package server

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// workspaceDiagnostic answers workspace/diagnostic: the findings in all Dockerfiles of the workspace folders whose
// settings ask for that, and in those that are open. What is not open is checked without its build context.
func workspaceDiagnostic(
	s *session,
	p *protocol.WorkspaceDiagnosticParams,
) (func(context.Context) (any, error), error) {
	previous := map[uri.URI]string{}
	for _, id := range p.PreviousResultIds {
		previous[id.URI] = id.Value
	}
	s.mu.Lock()
	var open []*snapshot
	opened := map[string]bool{}
	for _, d := range s.documents {
		if d.current != nil {
			open = append(open, d.current)
			opened[d.path] = true
		}
	}
	var folders []protocol.WorkspaceFolder
	for _, folder := range s.folders {
		if own, _ := s.settingsOfLocked(folder.URI + "/Dockerfile"); own.WorkspaceDiagnostics {
			folders = append(folders, folder)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(open, func(a, b *snapshot) int { return strings.Compare(string(a.uri), string(b.uri)) })
	return func(ctx context.Context) (any, error) {
		report := &protocol.WorkspaceDiagnosticReport{Items: []protocol.WorkspaceDocumentDiagnosticReport{}}
		add := func(snap *snapshot, version *int32) error {
			items := snap.diagnostics()
			id, err := digestOf(items)
			if err != nil {
				return err
			}
			if previous[snap.uri] == id {
				report.Items = append(report.Items, &protocol.WorkspaceUnchangedDocumentDiagnosticReport{
					UnchangedDocumentDiagnosticReport: protocol.UnchangedDocumentDiagnosticReport{
						Kind:     "unchanged",
						ResultID: id,
					}, URI: snap.uri, Version: version,
				})
			} else {
				report.Items = append(report.Items, &protocol.WorkspaceFullDocumentDiagnosticReport{
					FullDocumentDiagnosticReport: protocol.FullDocumentDiagnosticReport{Kind: "full", ResultID: &id,
						Items: items}, URI: snap.uri, Version: version,
				})
			}
			delete(previous, snap.uri)
			return nil
		}
		for _, snap := range open {
			if err := add(snap, &snap.version); err != nil {
				return nil, err
			}
		}
		files, err := s.workspaceFiles(ctx, folders)
		if err != nil {
			return nil, err
		}
		configs := map[string]rules.Options{} // by folder
		for _, f := range files {
			if opened[f.path] {
				continue
			}
			folder := filepath.Dir(f.path)
			options, known := configs[folder]
			if !known {
				s.mu.Lock()
				own, _ := s.settingsOfLocked(uri.File(f.path))
				s.mu.Unlock()
				options = own.rulesIn(folder)
				options.Classic = own.Engine == string(cachemodel.Classic)
				configs[folder] = options
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			snap := &snapshot{uri: uri.File(f.path), file: f.file, can: s.can}
			found := findingsOf(f.file, nil, options)
			snap.findings = func() []analysis.Finding { return found }
			if err := add(snap, nil); err != nil {
				return nil, err
			}
		}
		for _, gone := range p.PreviousResultIds { // a file that was deleted or renamed: what was found in it goes too
			if _, left := previous[gone.URI]; left {
				id := ""
				report.Items = append(report.Items, &protocol.WorkspaceFullDocumentDiagnosticReport{
					FullDocumentDiagnosticReport: protocol.FullDocumentDiagnosticReport{
						Kind:     "full",
						ResultID: &id,
						Items:    []protocol.Diagnostic{},
					}, URI: gone.URI,
				})
			}
		}
		return report, nil
	}, nil
}
