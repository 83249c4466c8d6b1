package server

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
	"github.com/layerwise/layerwise/cachemodel/buildfiles/buildcheck"
	"github.com/layerwise/layerwise/cachemodel/textfile"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// This file is about Compose and bake files as documents: a lens and diagnostics on the sections that name Dockerfiles.

// isBuildFile goes by the language and the name.
func isBuildFile(u uri.URI, language protocol.LanguageKind) bool {
	name := u.Path()
	switch strings.ToLower(string(language)) {
	case "dockercompose", "dockerbake":
		return true
	case "yaml", "hcl", "json", "jsonc", "terraform", "", "plaintext", "text":
		return buildfiles.IsCompose(name) || buildfiles.IsBake(name)
	}
	return false
}

// buildText is one version of a build file.
type buildText struct {
	s        *session
	d        *document
	uri      uri.URI
	path     string
	version  int32
	text     *source.Text
	sections []buildfiles.Section
	entries  []buildfiles.Entry
}

// reading is what a build file held when it could last be read.
type reading struct {
	text     string
	sections []buildfiles.Section
	entries  []buildfiles.Entry
}

// buildTextOf reads a document that is a build file, nil if it is none.
func (s *session) buildTextOf(ctx context.Context, u uri.URI) *buildText {
	s.mu.Lock()
	d := s.documents[u]
	if d == nil || !d.buildfile || d.path == "" {
		s.mu.Unlock()
		return nil
	}
	b := &buildText{s: s, d: d, uri: u, path: d.path, version: d.version, text: d.text}
	last := d.reading
	s.mu.Unlock()

	content := b.text.String()
	sections, err := buildfiles.Sections(d.path, []byte(content))
	if err != nil && len(sections) == 0 { // half typed: where the last good ones have gone
		sections = moved(last.sections, last.text, content)
	} else {
		last.text, last.sections = content, sections
	}
	b.sections = sections
	if entries, err := buildfiles.Around(ctx, d.path, s.buildOptionsNow()); err == nil {
		last.entries = entries
	}
	b.entries = last.entries
	s.mu.Lock()
	if d.text == b.text {
		d.reading = last
	}
	s.mu.Unlock()
	return b
}

// moved finds the sections again in a text that was edited in one place; what is edited itself is left out.
func moved(sections []buildfiles.Section, before, now string) []buildfiles.Section {
	head := 0
	for head < len(before) && head < len(now) && before[head] == now[head] {
		head++
	}
	tail := 0
	for tail < len(before)-head && tail < len(now)-head && before[len(before)-1-tail] == now[len(now)-1-tail] {
		tail++
	}
	move := func(span *source.Span) bool {
		if span.Start >= len(before)-tail {
			span.Start += len(now) - len(before)
			span.End += len(now) - len(before)
			return true
		}
		return span.End <= head
	}
	var out []buildfiles.Section
	for _, s := range sections {
		if !move(&s.NameSpan) {
			continue
		}
		if !move(&s.Span) {
			s.Span = s.NameSpan
		}
		var values []buildfiles.Value
		for _, v := range s.Values {
			if move(&v.KeySpan) && move(&v.Span) {
				values = append(values, v)
			}
		}
		s.Values = values
		out = append(out, s)
	}
	return out
}

// dockerfileOf reads the Dockerfile of an entry, as it is in the editor.
func (b *buildText) dockerfileOf(e *buildfiles.Entry) (*dockerfile.File, error) {
	return buildcheck.Files{Read: b.dockerfileAt}.Dockerfile(e)
}

func (b *buildText) dockerfileAt(path string) (*dockerfile.File, error) {
	if snap := b.s.snapshotAt(path); snap != nil {
		return snap.file, nil
	}
	text, err := textfile.Read(path)
	if err != nil {
		return nil, err
	}
	return dockerfile.Parse(source.New(string(text)), nil), nil
}

// findings are what is wrong with the build sections, with the severities that are configured.
func (b *buildText) findings() []analysis.Finding {
	b.s.mu.Lock()
	own, _ := b.s.settingsOfLocked(b.uri)
	b.s.mu.Unlock()
	options := own.rulesIn(filepath.Dir(b.path))
	found := options.Apply(buildcheck.Check(b.sections, b.entries, buildcheck.Files{Read: b.dockerfileAt}))
	return append(found, buildcheck.Inline([]byte(b.text.String()), b.sections, b.entries, options)...)
}

func (b *buildText) diagnostics() []protocol.Diagnostic {
	out := []protocol.Diagnostic{}
	for _, f := range b.findings() {
		out = append(out, b.diagnostic(f))
	}
	return out
}

func (b *buildText) diagnostic(f analysis.Finding) protocol.Diagnostic {
	var page protocol.CodeDescription
	if rule := rules.ByID(f.Rule); rule != nil {
		page.Href = uri.URI(rule.URL())
	}
	return protocol.Diagnostic{
		Range: b.s.can.encoding.rangeOf(
			b.text,
			f.Span,
		), Severity: protocol.DiagnosticSeverity(f.Severity), Code: protocol.String(f.Rule),
		CodeDescription: page, Source: protocol.NewOptional("layerwise"), Message: protocol.String(f.Message),
	}
}

// publishBuildLoop sends the diagnostics of a build file and the marks of the Dockerfiles in it whenever it, a
// Dockerfile or a file of their builds changes.
func (s *session) publishBuildLoop(d *document) {
	defer s.unwatch(d)
	var took time.Duration
	for {
		var poll <-chan time.Time
		if s.unwatched(d) != "" {
			poll = time.After(max(pollEvery, pollShare*took))
		}
		select {
		case <-d.ctx.Done():
			return
		case <-d.publish:
		case <-poll:
			s.mu.Lock()
			d.stale.Context = true
			s.mu.Unlock()
		}
		select {
		case <-d.ctx.Done():
			return
		case <-time.After(max(quiet, 2*took)): // a large build context is not read all the time
		}
		began := time.Now()
		s.publishBuildFile(d)
		took = time.Since(began)
	}
}

func (s *session) publishBuildFile(d *document) {
	defer s.rescue("publishing " + string(d.uri))
	b := s.buildTextOf(d.ctx, d.uri)
	if b == nil {
		return
	}
	if !s.can.pullDiagnostics {
		items := b.diagnostics()
		s.mu.Lock()
		overtaken := d.text != b.text || d.ctx.Err() != nil
		s.mu.Unlock()
		if !overtaken {
			_ = s.client.PublishDiagnostics(d.ctx, &protocol.PublishDiagnosticsParams{
				URI: b.uri, Version: protocol.NewOptional(b.version), Diagnostics: items,
			})
		}
	}
	inlines, ok := b.loadInlines(d.ctx)
	if !ok {
		return
	}
	s.refreshSoon()
	if s.can.cacheStatus {
		s.sendStatus(d.ctx, b.cacheStatus(d.ctx, inlines))
	}
}

// wakeBuildFilesLocked has the build files judged anew that are open, with what is on the disk if that may be other.
func (s *session) wakeBuildFilesLocked(stale bool) {
	for _, d := range s.documents {
		if d.buildfile {
			d.stale.Context = d.stale.Context || stale
			d.wake(d.publish)
		}
	}
}

func buildFileLenses(ctx context.Context, b *buildText, _ *protocol.CodeLensParams) ([]protocol.CodeLens, error) {
	lenses := []protocol.CodeLens{}
	for i := range b.sections {
		section := &b.sections[i]
		for _, e := range buildcheck.Of(section, b.entries) {
			if e.TextFile() == "" || e.Inherited || !fileExists(e.TextFile()) {
				continue
			}
			title := e.Name
			if summary := b.summaryOf(ctx, e); summary != "" {
				title += ": " + summary
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			lenses = append(
				lenses,
				protocol.CodeLens{Range: b.s.can.encoding.rangeOf(b.text, section.NameSpan), Command: protocol.Command{
					Title: title, Command: openDockerfileCommand,
					Arguments: []protocol.LSPAny{jsonText(string(uri.File(e.TextFile())))},
				}},
			)
		}
	}
	return lenses, nil
}

// lensReader finds the builds of one entry of a build file.
type lensReader struct {
	mu     sync.Mutex
	reader *workspace.Reader
}

// lensKey names an entry, whose Dockerfile may change.
type lensKey struct{ textFile, id string }

func lensKeyOf(e *buildfiles.Entry) lensKey { return lensKey{e.TextFile(), e.ID} }

// summaryOf counts what of an entry's Dockerfile the next build takes from the cache.
func (b *buildText) summaryOf(ctx context.Context, e *buildfiles.Entry) string {
	file, err := b.dockerfileOf(e)
	if err != nil {
		return ""
	}
	found, unsaved := b.entryBuild(ctx, e, file, nil)
	switch {
	case found == nil:
		return ""
	case found.Compared.Baseline.Kind == noBaseline:
		return "no earlier build to compare with"
	}
	return workspace.SumUp(found.Judge(file, unsaved).Steps) + " · vs " + found.Compared.Label + assumedMark(found)
}

// entryBuild finds the build of an entry, with the texts that are not saved; nil if it is not found. It is the same
// build that the Dockerfile itself is judged for, if that is open and this entry's settings count there. watch, if it
// is not nil, is told what the build depends on.
func (b *buildText) entryBuild(
	ctx context.Context, e *buildfiles.Entry, file *dockerfile.File, watch func(workspace.Places) bool,
) (*build, []workspace.Overlay) {
	s := b.s
	s.mu.Lock()
	own, root := s.settingsOfLocked(uri.File(e.TextFile()))
	s.mu.Unlock()
	if !s.workspaceOf(root).Near(e) { // which looks at files
		return nil, nil
	}
	s.mu.Lock()
	q := workspace.Question{
		Choices: choicesOf(own, root, e.TextFile()),
		File:    file,
		Changed: workspace.Changed{Context: true, Baseline: true, Builds: true},
		Watch:   watch,
	}
	q.Choices.Build = e.ID
	written := s.writtenLocked()
	var found *build
	for _, d := range s.documents {
		if d.dockerfile && d.path == e.Dockerfile {
			q.Opened = d.opened
			if d.build != nil && d.build.Entry != nil && d.build.Entry.ID == e.ID {
				found = d.build
			}
		}
	}
	lens := b.lensLocked(e, root)
	s.mu.Unlock()
	if found == nil {
		if builder := s.builder(own.BuildKit); builder != nil {
			q.Builder = builder
		}
		lens.mu.Lock()
		loaded := lens.reader.Load(ctx, q)
		lens.mu.Unlock()
		if loaded == nil {
			return nil, nil
		}
		found = s.buildOf(loaded, own, written, "")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return found, s.overlaysLocked(found)
}

// lensLocked is what finds the builds of an entry. Those of entries that the file has no more are forgotten, with the
// build contexts that they hold.
func (b *buildText) lensLocked(e *buildfiles.Entry, root string) *lensReader {
	known := b.d.lenses
	if lens := known[lensKeyOf(e)]; lens != nil {
		return lens
	}
	lens := &lensReader{reader: b.s.workspaceOf(root).EntryReader(e)}
	b.d.lenses = map[lensKey]*lensReader{lensKeyOf(e): lens}
	for i := range b.entries {
		if key := lensKeyOf(&b.entries[i]); known[key] != nil {
			b.d.lenses[key] = known[key]
		}
	}
	return lens
}

// openDockerfileCommand shows a Dockerfile, in clients that can show a document.
const openDockerfileCommand = "layerwise.openDockerfile"

func openDockerfile(ctx context.Context, s *session, u uri.URI, _ string) error {
	yes := true
	_, err := s.client.ShowDocument(ctx, &protocol.ShowDocumentParams{URI: u, TakeFocus: &yes})
	return err
}

func buildFileActions(
	_ context.Context,
	b *buildText,
	p *protocol.CodeActionParams,
) ([]protocol.CommandOrCodeAction, error) {
	actions := []protocol.CommandOrCodeAction{}
	kind := protocol.CodeActionKindQuickFix
	if len(p.Context.Only) > 0 && !slices.Contains(p.Context.Only, kind) {
		return actions, nil
	}
	at := b.s.can.encoding.span(b.text, p.Range)
	for _, f := range b.findings() {
		if !f.Span.Overlaps(at) {
			continue
		}
		for _, fix := range f.Fixes {
			var edits []protocol.TextEdit
			for _, edit := range fix.Edits {
				edits = append(
					edits,
					protocol.TextEdit{Range: b.s.can.encoding.rangeOf(b.text, edit.Span), NewText: edit.NewText},
				)
			}
			actions = append(actions, &protocol.CodeAction{
				Title: fix.Title, Kind: &kind, IsPreferred: &fix.Preferred,
				Diagnostics: []protocol.Diagnostic{b.diagnostic(f)},
				Edit:        &protocol.WorkspaceEdit{Changes: map[uri.URI][]protocol.TextEdit{b.uri: edits}},
			})
		}
	}
	return actions, nil
}

// buildFileDefinition goes from a section to its Dockerfile: to the stage from the target, to the declaration from an
// argument.
func buildFileDefinition(
	_ context.Context,
	b *buildText,
	p *protocol.DefinitionParams,
) (protocol.DefinitionResult, error) {
	offset := b.s.can.encoding.offset(b.text, p.Position)
	inside := func(s source.Span) bool { return s.Start <= offset && offset <= s.End }
	for i := range b.sections {
		section := &b.sections[i]
		if !inside(section.Span) && !inside(section.NameSpan) {
			continue
		}
		for _, e := range buildcheck.Of(section, b.entries) {
			file, err := b.dockerfileOf(e)
			if err != nil || e.Dockerfile == "" {
				continue
			}
			span := source.Span{}
			for _, v := range section.Values {
				if !inside(v.KeySpan) && !inside(v.Span) {
					continue
				}
				if name, ok := strings.CutPrefix(v.Key, "args."); ok {
					span = cmp.Or(buildcheck.Declaration(file, name), span)
				} else if n := file.Stage(e.Target, dockerfile.ByTarget, 0); v.Key == "target" && n >= 0 &&
					file.Stages[n].From != nil {
					span = file.Stages[n].From.Span
				}
			}
			return &protocol.Location{
				URI:   uri.File(e.Dockerfile),
				Range: b.s.can.encoding.rangeOf(file.Text, span),
			}, nil
		}
	}
	return nil, nil
}

func buildFileDiagnostic(
	_ context.Context,
	b *buildText,
	_ *protocol.DocumentDiagnosticParams,
) (protocol.DocumentDiagnosticReport, error) {
	return &protocol.RelatedFullDocumentDiagnosticReport{
		FullDocumentDiagnosticReport: protocol.FullDocumentDiagnosticReport{Kind: "full", Items: b.diagnostics()},
	}, nil
}

// orBuildFile is a method that also works in build files.
func orBuildFile[P, R any](
	other method,
	document func(*P) uri.URI,
	answer func(context.Context, *buildText, *P) (R, error),
) method {
	start := other.start
	other.start = func(s *session, params []byte) (func(context.Context) (any, error), error) {
		p, err := decode[P](params)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		d := s.documents[document(p)]
		own := d != nil && d.buildfile && d.path != ""
		s.mu.Unlock()
		if !own {
			return start(s, params)
		}
		return func(ctx context.Context) (any, error) {
			b := s.buildTextOf(ctx, document(p))
			if b == nil {
				return nil, protocol.ErrContentModified
			}
			result, err := answer(ctx, b, p)
			return orNull(result), err
		}, nil
	}
	return other
}
