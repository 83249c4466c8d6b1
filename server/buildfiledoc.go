package server

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/spell"
	"github.com/layerwise/layerwise/cachemodel/buildfiles"
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
	b := &buildText{s: s, uri: u, path: d.path, version: d.version, text: d.text}
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
	if entries, err := s.entriesAround(ctx, d.path); err == nil {
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

// entriesAround reads the project that a file is part of, or the file alone if no command would find it.
func (s *session) entriesAround(ctx context.Context, path string) ([]buildfiles.Entry, error) {
	o := s.buildOptionsNow()
	o.Dir = filepath.Dir(path)
	read := buildfiles.ReadBake
	if ext := strings.ToLower(filepath.Ext(path)); ext == ".yaml" || ext == ".yml" {
		read = buildfiles.ReadCompose
	}
	p, err := read(ctx, o)
	if err != nil || !slices.Contains(p.Files, path) {
		o.Files = []string{path}
		if p, err = read(ctx, o); err != nil {
			return nil, err
		}
	}
	return p.Entries, nil
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

// of are the entries that a section makes.
func (b *buildText) of(section *buildfiles.Section) []*buildfiles.Entry {
	var out []*buildfiles.Entry
	for i := range b.entries {
		if e := &b.entries[i]; e.Label == section.Name && e.Kind == section.Kind {
			out = append(out, e)
		}
	}
	return out
}

// dockerfileOf reads the Dockerfile of an entry, as it is in the editor.
func (b *buildText) dockerfileOf(e *buildfiles.Entry) (*dockerfile.File, error) {
	if e.Inline != "" {
		return dockerfile.Parse(source.New(e.Inline), nil), nil
	}
	b.s.mu.Lock()
	for _, d := range b.s.documents {
		if d.dockerfile && d.current != nil && d.path == e.Dockerfile {
			file := d.current.file
			b.s.mu.Unlock()
			return file, nil
		}
	}
	b.s.mu.Unlock()
	text, err := textfile.Read(e.Dockerfile)
	if err != nil {
		return nil, err
	}
	return dockerfile.Parse(source.New(string(text)), nil), nil
}

// The codes of what may be wrong with a build section.
const (
	unknownTarget     = "UnknownBuildTarget"
	unknownArg        = "UndeclaredBuildArg"
	missingDockerfile = "MissingDockerfile"
	missingContext    = "MissingBuildContext"
)

// findings are what is wrong with the build sections.
func (b *buildText) findings() []analysis.Finding {
	out := []analysis.Finding{}
	for i := range b.sections {
		section := &b.sections[i]
		entries := b.of(section)
		if len(entries) == 0 || entries[0].Remote && entries[0].Inline == "" {
			continue
		}
		out = append(out, b.check(section, entries)...)
	}
	return out
}

func (b *buildText) check(section *buildfiles.Section, entries []*buildfiles.Entry) []analysis.Finding {
	var out []analysis.Finding
	add := func(code string, severity analysis.Severity, span source.Span, message string, fixes ...analysis.Fix) {
		out = append(out, analysis.Finding{Rule: code, Severity: severity, Span: span, Message: message, Fixes: fixes})
	}
	at := func(key string) source.Span {
		if v, ok := section.Value(key); ok {
			return v.Span
		}
		return section.NameSpan
	}
	_, own := section.Value("dockerfile")
	_, ownContext := section.Value("context")
	e := entries[0]
	if e.Inherited && !own && !ownContext {
		return nil // others say what it builds
	}
	if !e.Remote && len(entries) == 1 {
		if info, err := os.Stat(e.Context); err != nil || !info.IsDir() {
			add(missingContext, analysis.Error, at("context"), fmt.Sprintf("The build context %s is no folder.", e.Context))
			return out
		}
	}
	var files []*dockerfile.File
	for _, e := range entries {
		file, err := b.dockerfileOf(e)
		if err == nil {
			files = append(files, file)
			continue
		}
		if e.Dockerfile != "" && len(entries) == 1 {
			var fixes []analysis.Fix
			if v, ok := section.Value("dockerfile"); ok && v.Literal {
				for _, name := range spell.Suggest(filepath.Base(v.Text), neighbours(filepath.Dir(e.Dockerfile))) {
					path := filepath.ToSlash(filepath.Join(filepath.Dir(v.Text), name))
					fixes = append(fixes, analysis.Fix{Title: fmt.Sprintf("Change to %q", path), Edits: []source.Edit{{Span: v.Span, NewText: path}}})
				}
			}
			add(missingDockerfile, analysis.Error, at("dockerfile"), fmt.Sprintf("There is no Dockerfile %s.", e.Dockerfile), fixes...)
		}
	}
	if len(files) != len(entries) || len(files) == 0 {
		return out
	}
	for _, v := range section.Values {
		switch name, isArg := strings.CutPrefix(v.Key, "args."); {
		case v.Key == "target" && v.Literal && v.Text != "" && len(entries) == 1:
			if stages, ok := stagesOf(files[0]); ok && !hasStage(files[0], v.Text) {
				message, fixes := didYouMean(fmt.Sprintf("%s has no stage %q.", dockerfileName(e), v.Text), v.Text, v.Span, stages)
				add(unknownTarget, analysis.Error, v.Span, message, fixes...)
			}
		case isArg:
			if slices.ContainsFunc(files, func(f *dockerfile.File) bool { return declares(f, name) }) || e.Inherited {
				continue
			}
			message, fixes := didYouMean(fmt.Sprintf("%s does not declare the argument %s, so it has no effect.", dockerfileName(e), name), name, v.KeySpan, argsOf(files[0]))
			add(unknownArg, analysis.Warning, v.KeySpan, message, fixes...)
		}
	}
	return out
}

func didYouMean(message, word string, span source.Span, candidates []string) (string, []analysis.Fix) {
	var fixes []analysis.Fix
	for _, c := range spell.Suggest(word, candidates) {
		fixes = append(fixes, analysis.Fix{Title: fmt.Sprintf("Change to %q", c), Edits: []source.Edit{{Span: span, NewText: c}}})
	}
	if len(fixes) > 0 {
		fixes[0].Preferred = true
		message += fmt.Sprintf(" Did you mean %q?", fixes[0].Edits[0].NewText)
	}
	return message, fixes
}

// dockerfileName names an entry's Dockerfile to people.
func dockerfileName(e *buildfiles.Entry) string {
	if e.Dockerfile == "" {
		return "The Dockerfile within this file"
	}
	return filepath.Base(e.Dockerfile)
}

// neighbours are the names in a folder.
func neighbours(dir string) []string {
	var names []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !e.IsDir() && dockerfile.IsName(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names
}

// stagesOf are the names of stages; not ok if the file is broken so far that one may be missing.
func stagesOf(f *dockerfile.File) (names []string, ok bool) {
	for _, stage := range f.Stages {
		if stage.Name != "" {
			names = append(names, stage.Name)
		}
	}
	return names, len(f.Stages) > 0
}

func hasStage(f *dockerfile.File, target string) bool {
	return stageNamed(f, target) != nil
}

// stageNamed finds the stage of a target: by its name in any case, or its number.
func stageNamed(f *dockerfile.File, target string) *dockerfile.Stage {
	for i, stage := range f.Stages {
		if strings.EqualFold(stage.Name, target) || fmt.Sprint(i) == target {
			return stage
		}
	}
	return nil
}

// builtin are arguments that have an effect without being declared.
var builtin = []string{"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY", "SOURCE_DATE_EPOCH"}

func declares(f *dockerfile.File, name string) bool {
	return slices.Contains(builtin, strings.ToUpper(name)) || strings.HasPrefix(name, "BUILDKIT_") || slices.Contains(argsOf(f), name)
}

// argsOf are the arguments that a Dockerfile declares.
func argsOf(f *dockerfile.File) []string {
	var names []string
	for _, in := range f.Instructions {
		words := in.Args
		keyword := strings.ToUpper(in.Keyword.Text)
		if keyword == "ONBUILD" && len(words) > 0 {
			keyword, words = strings.ToUpper(words[0].Text), words[1:]
		}
		if keyword != "ARG" {
			continue
		}
		for _, w := range words {
			name, _, _ := strings.Cut(w.Text, "=")
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (b *buildText) diagnostics() []protocol.Diagnostic {
	out := []protocol.Diagnostic{}
	for _, f := range b.findings() {
		out = append(out, b.diagnostic(f))
	}
	return out
}

func (b *buildText) diagnostic(f analysis.Finding) protocol.Diagnostic {
	return protocol.Diagnostic{
		Range: b.s.can.encoding.rangeOf(b.text, f.Span), Severity: protocol.DiagnosticSeverity(f.Severity), Code: protocol.String(f.Rule),
		Source: protocol.NewOptional("layerwise"), Message: protocol.String(f.Message),
	}
}

// publishBuildLoop sends the diagnostics of a build file whenever it or a Dockerfile changes.
func (s *session) publishBuildLoop(d *document) {
	for {
		select {
		case <-d.ctx.Done():
			return
		case <-d.publish:
		}
		select {
		case <-d.ctx.Done():
			return
		case <-time.After(quiet):
		}
		b := s.buildTextOf(d.ctx, d.uri)
		if b == nil || s.can.pullDiagnostics {
			continue
		}
		items := b.diagnostics()
		s.mu.Lock()
		overtaken := d.text != b.text || d.ctx.Err() != nil
		s.mu.Unlock()
		if !overtaken {
			_ = s.client.PublishDiagnostics(d.ctx, &protocol.PublishDiagnosticsParams{URI: b.uri, Version: protocol.NewOptional(b.version), Diagnostics: items})
		}
	}
}

// wakeBuildFilesLocked has the build files judged anew that are open.
func (s *session) wakeBuildFilesLocked() {
	for _, d := range s.documents {
		if d.buildfile {
			d.wake(d.publish)
		}
	}
}

func buildFileLenses(ctx context.Context, b *buildText, _ *protocol.CodeLensParams) ([]protocol.CodeLens, error) {
	lenses := []protocol.CodeLens{}
	for i := range b.sections {
		section := &b.sections[i]
		for _, e := range b.of(section) {
			if e.Dockerfile == "" || e.Inherited || !fileExists(e.Dockerfile) {
				continue
			}
			title := e.Name
			if summary := b.s.summaryOf(ctx, e, b); summary != "" {
				title += ": " + summary
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			lenses = append(lenses, protocol.CodeLens{Range: b.s.can.encoding.rangeOf(b.text, section.NameSpan), Command: protocol.Command{
				Title: title, Command: openDockerfileCommand, Arguments: []protocol.LSPAny{jsonText(string(uri.File(e.Dockerfile)))},
			}})
		}
	}
	return lenses, nil
}

// lensReader finds the builds of one entry of a build file.
type lensReader struct {
	mu     sync.Mutex
	reader *workspace.Reader
}

// summaryOf counts what of an entry's Dockerfile the next build takes from the cache. It is the same build that the Dockerfile
// itself is judged for, if that is open and this entry's settings count there.
func (s *session) summaryOf(ctx context.Context, e *buildfiles.Entry, b *buildText) string {
	file, err := b.dockerfileOf(e)
	if err != nil {
		return ""
	}
	s.mu.Lock()
	own, root := s.settingsOfLocked(uri.File(e.Dockerfile))
	q := workspace.Question{Choices: choicesOf(own, root, e.Dockerfile), File: file, Changed: workspace.Changed{Context: true, Baseline: true, Builds: true}}
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
	key := [2]string{e.Dockerfile, e.ID}
	lens := s.lenses[key]
	if lens == nil {
		lens = &lensReader{reader: s.workspaceOf(root).Reader(e.Dockerfile)}
		s.lenses[key] = lens
	}
	s.mu.Unlock()
	if found == nil {
		if builder := s.builder(own.BuildKit); builder != nil {
			q.Builder = builder
		}
		lens.mu.Lock()
		loaded := lens.reader.Load(ctx, q)
		lens.mu.Unlock()
		if loaded == nil {
			return ""
		}
		found = s.buildOf(loaded, own, written, "")
	}
	if found.Compared.Baseline.Kind == noBaseline {
		return "no earlier build to compare with"
	}
	s.mu.Lock()
	unsaved := s.overlaysLocked(found)
	s.mu.Unlock()
	return workspace.SumUp(found.Judge(file, unsaved).Steps) + " · vs " + found.Compared.Label
}

// openDockerfileCommand shows a Dockerfile, in clients that can show a document.
const openDockerfileCommand = "layerwise.openDockerfile"

func openDockerfile(ctx context.Context, s *session, u uri.URI, _ string) error {
	yes := true
	_, err := s.client.ShowDocument(ctx, &protocol.ShowDocumentParams{URI: u, TakeFocus: &yes})
	return err
}

func buildFileActions(_ context.Context, b *buildText, p *protocol.CodeActionParams) ([]protocol.CommandOrCodeAction, error) {
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
				edits = append(edits, protocol.TextEdit{Range: b.s.can.encoding.rangeOf(b.text, edit.Span), NewText: edit.NewText})
			}
			actions = append(actions, &protocol.CodeAction{
				Title: fix.Title, Kind: &kind, IsPreferred: &fix.Preferred, Diagnostics: []protocol.Diagnostic{b.diagnostic(f)},
				Edit: &protocol.WorkspaceEdit{Changes: map[uri.URI][]protocol.TextEdit{b.uri: edits}},
			})
		}
	}
	return actions, nil
}

// buildFileDefinition goes from a section to its Dockerfile: to the stage from the target, to the declaration from an argument.
func buildFileDefinition(_ context.Context, b *buildText, p *protocol.DefinitionParams) (protocol.DefinitionResult, error) {
	offset := b.s.can.encoding.offset(b.text, p.Position)
	inside := func(s source.Span) bool { return s.Start <= offset && offset <= s.End }
	for i := range b.sections {
		section := &b.sections[i]
		if !inside(section.Span) && !inside(section.NameSpan) {
			continue
		}
		for _, e := range b.of(section) {
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
					span = cmp.Or(declaration(file, name), span)
				} else if stage := stageNamed(file, e.Target); v.Key == "target" && stage != nil && stage.From != nil {
					span = stage.From.Span
				}
			}
			return &protocol.Location{URI: uri.File(e.Dockerfile), Range: b.s.can.encoding.rangeOf(file.Text, span)}, nil
		}
	}
	return nil, nil
}

// declaration finds where an argument is declared first.
func declaration(f *dockerfile.File, name string) source.Span {
	for _, in := range f.Instructions {
		if strings.EqualFold(in.Keyword.Text, "ARG") {
			for _, w := range in.Args {
				if declared, _, _ := strings.Cut(w.Text, "="); declared == name {
					return w.Span
				}
			}
		}
	}
	return source.Span{}
}

func buildFileDiagnostic(_ context.Context, b *buildText, _ *protocol.DocumentDiagnosticParams) (protocol.DocumentDiagnosticReport, error) {
	return &protocol.RelatedFullDocumentDiagnosticReport{
		FullDocumentDiagnosticReport: protocol.FullDocumentDiagnosticReport{Kind: "full", Items: b.diagnostics()},
	}, nil
}

// orBuildFile is a method that also works in build files.
func orBuildFile[P, R any](other method, document func(*P) uri.URI, answer func(context.Context, *buildText, *P) (R, error)) method {
	start := other.start
	other.start = func(s *session, params []byte) (func(context.Context) (any, error), error) {
		p, err := decode[P](params)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		d := s.documents[document(p)]
		own := d != nil && d.buildfile
		s.mu.Unlock()
		if !own {
			return start(s, params)
		}
		return func(ctx context.Context) (any, error) {
			b := s.buildTextOf(ctx, document(p))
			if b == nil {
				return nil, protocol.ErrContentModified
			}
			return answer(ctx, b, p)
		}, nil
	}
	return other
}
