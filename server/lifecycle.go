package server

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"slices"

	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
	"go.uber.org/zap"
)

// The states of a session.
const (
	beforeInitialize int32 = iota
	running
	afterShutdown
)

// gate refuses what the session's state does not allow: before initialize all but initialize and exit, after shutdown
// all but exit.
func (s *session) gate(method string) error {
	state := s.state.Load()
	switch {
	case method == protocol.MethodExit:
		return nil
	case state == beforeInitialize && method != protocol.MethodInitialize:
		return jsonrpc2.NewError(jsonrpc2.ServerNotInitialized, method+" before initialize")
	case state == running && method == protocol.MethodInitialize:
		return jsonrpc2.NewError(jsonrpc2.InvalidRequest, "initialize was sent already")
	case state == afterShutdown:
		return jsonrpc2.NewError(jsonrpc2.InvalidRequest, method+" after shutdown")
	}
	return nil
}

// abilities are what the client can do, as far as the server behaves differently.
type abilities struct {
	encoding           encoding
	markdown           bool   // in hovers
	snippets           bool   // in completion
	insertReplace      bool   // chooses in completion between putting a word in and replacing the one that stands there
	suggestCommand     string // the client's own command that asks for completion once more; "" if it has none
	completionMarkdown bool   // in its documentation
	signatureMarkdown  bool   // in signature help
	labelOffsets       bool   // the parameters of a signature are told by their place in it
	pullDiagnostics    bool
	configuration      bool // answers workspace/configuration
	configChanges      bool // wants workspace/didChangeConfiguration to be registered
	watchFiles         bool // lets us register file watchers with a base folder
	progress           bool
	documentChanges    bool // in workspace edits
	symbolTree         bool // takes document symbols as a tree
	foldLimit          int  // how many folding ranges it takes; 0 is no limit
	applyEdit          bool // lets the server change documents
	annotations        bool // shows change annotations in workspace edits
	disabledActions    bool // shows code actions that do not apply, with the reason
	resolvesEdits      bool // asks for a code action's edits when it is chosen
	refreshHints       bool
	refreshLenses      bool
	refreshDiagnostics bool
	cacheStatus        bool
	writesTexts        bool // writes hints and summaries itself, as layerwise/cacheStatus has them
}

func initialize(s *session, p *protocol.InitializeParams) (any, error) {
	if !s.admits(p) {
		return nil, jsonrpc2.NewError(
			jsonrpc2.InvalidRequest,
			"the initialization option \"token\" is missing or wrong; "+
				"the server printed the token when it was started, unless it was given one",
		)
	}
	s.can = abilitiesOf(p)
	s.folders = workspaceFolders(p)
	if own, problems := settingsWithin(p.InitializationOptions); own != nil {
		s.settings.global = *own
		s.complain(problems)
	}
	s.untrusted = untrusted(p.InitializationOptions)
	s.verbose.Store(p.Trace == protocol.TraceValueMessages || p.Trace == protocol.TraceValueVerbose)
	if !s.can.configuration {
		s.settle()
	}
	s.state.Store(running)
	if id := p.ProcessID; id != nil && *id > 0 && s.outlive != nil {
		s.background("watching the client's process", func(ctx context.Context) {
			if s.outlive(ctx, int(*id)); ctx.Err() == nil {
				s.log.Warn("the client's process has ended", zap.Int32("process", *id))
				s.end()
			}
		})
	}

	yes := true
	change := protocol.TextDocumentSyncKindIncremental
	result := &protocol.InitializeResult{
		ServerInfo: protocol.ServerInfo{Name: "layerwise", Version: protocol.NewOptional(s.version)},
		Capabilities: protocol.ServerCapabilities{
			PositionEncoding: protocol.PositionEncodingKind(s.can.encoding),
			TextDocumentSync: &protocol.TextDocumentSyncOptions{
				OpenClose: &yes,
				Change:    &change,
				Save:      protocol.Boolean(true),
			},
			HoverProvider: protocol.Boolean(true),
			CompletionProvider: &protocol.CompletionOptions{
				TriggerCharacters: completionTriggers,
				ResolveProvider:   &yes,
			},
			SignatureHelpProvider: &protocol.SignatureHelpOptions{
				TriggerCharacters:   []string{" ", "[", ",", "=", ":"},
				RetriggerCharacters: []string{" ", ",", "\""},
			},
			CodeActionProvider: &protocol.CodeActionOptions{CodeActionKinds: []protocol.CodeActionKind{
				protocol.CodeActionKindQuickFix, protocol.CodeActionKindRefactorRewrite, fixAll,
			}, ResolveProvider: &s.can.resolvesEdits},
			CodeLensProvider:  &protocol.CodeLensOptions{},
			InlayHintProvider: protocol.Boolean(true),

			DefinitionProvider:         protocol.Boolean(true),
			ReferencesProvider:         protocol.Boolean(true),
			DocumentHighlightProvider:  protocol.Boolean(true),
			RenameProvider:             renameProvider(p),
			LinkedEditingRangeProvider: protocol.Boolean(true),
			CallHierarchyProvider:      protocol.Boolean(true),

			DocumentSymbolProvider:          protocol.Boolean(true),
			WorkspaceSymbolProvider:         protocol.Boolean(true),
			DocumentFormattingProvider:      protocol.Boolean(true),
			DocumentRangeFormattingProvider: &protocol.DocumentRangeFormattingOptions{RangesSupport: &yes},
			DocumentOnTypeFormattingProvider: protocol.DocumentOnTypeFormattingOptions{
				FirstTriggerCharacter: "\n",
				MoreTriggerCharacter:  []string{"\\", "`"},
			},
			FoldingRangeProvider:   protocol.Boolean(true),
			SelectionRangeProvider: protocol.Boolean(true),
			DocumentLinkProvider:   &protocol.DocumentLinkOptions{},
			SemanticTokensProvider: &protocol.SemanticTokensOptions{
				Legend: legend(), Range: protocol.Boolean(true), Full: &protocol.SemanticTokensFullDelta{Delta: &yes},
			},

			DiagnosticProvider:     &protocol.DiagnosticOptions{WorkspaceDiagnostics: true},
			ExecuteCommandProvider: protocol.ExecuteCommandOptions{Commands: commandNames()},
			Workspace: &protocol.WorkspaceOptions{WorkspaceFolders: &protocol.WorkspaceFoldersServerCapabilities{
				Supported: &yes, ChangeNotifications: protocol.Boolean(true),
			}, FileOperations: renamesFiles()},
		},
	}
	answer, registrations, err := perDocument(p, result)
	s.registrations = registrations
	return answer, err
}

// admits reports whether a client may use the server.
func (s *session) admits(p *protocol.InitializeParams) bool {
	if s.token != "" {
		var options struct {
			Token string `json:"token"`
		}
		_ = json.Unmarshal(p.InitializationOptions, &options) // what does not decode holds no token
		if subtle.ConstantTimeCompare([]byte(options.Token), []byte(s.token)) != 1 {
			return false
		}
	}
	if s.admitted != nil {
		s.admitted()
	}
	return true
}

// renameProvider offers prepareRename to clients that know it; the others take only a boolean.
func renameProvider(p *protocol.InitializeParams) protocol.RenameProvider {
	if t := p.Capabilities.TextDocument; t != nil && t.Rename != nil && isTrue(t.Rename.PrepareSupport) {
		return &protocol.RenameOptions{PrepareProvider: t.Rename.PrepareSupport}
	}
	return protocol.Boolean(true)
}

func abilitiesOf(p *protocol.InitializeParams) abilities {
	a := abilities{encoding: utf16Units}
	own := ownAbilities(p)
	a.cacheStatus, a.suggestCommand = own.CacheStatus, own.SuggestCommand
	a.writesTexts = own.CacheStatus && own.WritesTexts
	c := p.Capabilities
	if g := c.General; g != nil {
		a.encoding = negotiate(g.PositionEncodings)
	}
	if t := c.TextDocument; t != nil {
		a.symbolTree = t.DocumentSymbol != nil && isTrue(t.DocumentSymbol.HierarchicalDocumentSymbolSupport)
		if t.FoldingRange != nil && t.FoldingRange.RangeLimit != nil {
			a.foldLimit = int(*t.FoldingRange.RangeLimit)
		}
		a.pullDiagnostics = t.Diagnostic != nil
		if c := t.CodeAction; c != nil {
			a.disabledActions = isTrue(c.DisabledSupport)
			a.resolvesEdits = isTrue(c.DataSupport) && slices.Contains(c.ResolveSupport.Properties, "edit")
		}
		if c := t.Completion; c != nil && c.CompletionItem != nil {
			a.snippets = isTrue(c.CompletionItem.SnippetSupport)
			a.insertReplace = isTrue(c.CompletionItem.InsertReplaceSupport)
			a.completionMarkdown = slices.Contains(c.CompletionItem.DocumentationFormat, protocol.MarkupKindMarkdown)
		}
		if h := t.SignatureHelp; h != nil && h.SignatureInformation != nil {
			a.signatureMarkdown = slices.Contains(
				h.SignatureInformation.DocumentationFormat,
				protocol.MarkupKindMarkdown,
			)
			a.labelOffsets = h.SignatureInformation.ParameterInformation != nil &&
				isTrue(h.SignatureInformation.ParameterInformation.LabelOffsetSupport)
		}
		if t.Hover != nil {
			for _, format := range t.Hover.ContentFormat {
				a.markdown = a.markdown || format == protocol.MarkupKindMarkdown
			}
		}
	}
	if w := c.Workspace; w != nil {
		a.annotations = w.WorkspaceEdit != nil && w.WorkspaceEdit.ChangeAnnotationSupport != nil
		a.applyEdit = isTrue(w.ApplyEdit)
		a.documentChanges = w.WorkspaceEdit != nil && isTrue(w.WorkspaceEdit.DocumentChanges)
		a.configuration = isTrue(w.Configuration)
		a.configChanges = w.DidChangeConfiguration != nil && isTrue(w.DidChangeConfiguration.DynamicRegistration)
		if f := w.DidChangeWatchedFiles; f != nil {
			a.watchFiles = isTrue(f.DynamicRegistration) && isTrue(f.RelativePatternSupport)
		}
		a.refreshDiagnostics = w.Diagnostics != nil && isTrue(w.Diagnostics.RefreshSupport)
		a.refreshHints = w.InlayHint != nil && isTrue(w.InlayHint.RefreshSupport)
		a.refreshLenses = w.CodeLens != nil && isTrue(w.CodeLens.RefreshSupport)
	}
	if w := c.Window; w != nil {
		a.progress = isTrue(w.WorkDoneProgress)
	}
	return a
}

// ownAbility is what a client can do beside the standard: whether it wants layerwise/cacheStatus, whether it writes
// hints and summaries itself, and the name of its own command that asks for completion.
type ownAbility struct {
	CacheStatus    bool   `json:"cacheStatus"`
	WritesTexts    bool   `json:"writesTexts"`
	SuggestCommand string `json:"suggestCommand"`
}

// ownAbilities are those of the initialisation options or of an experimental capability.
func ownAbilities(p *protocol.InitializeParams) ownAbility {
	var options ownAbility
	var experimental struct {
		Layerwise ownAbility `json:"layerwise"`
	}
	// Whatever does not decode asks for nothing.
	_ = json.Unmarshal(p.InitializationOptions, &options)
	_ = json.Unmarshal(p.Capabilities.Experimental, &experimental)
	other := experimental.Layerwise
	return ownAbility{
		CacheStatus:    options.CacheStatus || other.CacheStatus,
		WritesTexts:    options.WritesTexts || other.WritesTexts,
		SuggestCommand: cmp.Or(options.SuggestCommand, other.SuggestCommand),
	}
}

// workspaceFolders returns the folders the client has open; older clients name a single root.
func workspaceFolders(p *protocol.InitializeParams) []protocol.WorkspaceFolder {
	if folders, ok := p.WorkspaceFolders.Get(); ok {
		return folders
	}
	//lint:ignore SA1019 clients without workspace folders have only this
	if root := p.RootURI; root != nil {
		return []protocol.WorkspaceFolder{{URI: *root}}
	}
	//lint:ignore SA1019 the oldest clients have only this
	if path, ok := p.RootPath.Get(); ok && path != "" {
		return []protocol.WorkspaceFolder{{URI: uri.File(path)}}
	}
	return nil
}

func initialized(s *session, _ *protocol.InitializedParams) {
	s.background("registering features", s.registerFeatures)
	s.background("refreshing", s.refreshLoop)
	if s.can.configuration {
		s.background("reading settings", func(ctx context.Context) {
			if s.can.configChanges {
				s.register(
					ctx,
					"settings",
					protocol.MethodWorkspaceDidChangeConfiguration,
					map[string]any{"section": section},
				)
			}
			s.pullSettings(ctx)
		})
	}
}

// register asks the client to send notifications of a method. Where it refuses, the server goes without.
func (s *session) register(ctx context.Context, id, method string, options any) {
	raw, err := protocol.Marshal(options)
	if err == nil {
		err = s.client.RegisterCapability(ctx, &protocol.RegistrationParams{Registrations: []protocol.Registration{
			{ID: id, Method: method, RegisterOptions: raw},
		}})
	}
	if err != nil && ctx.Err() == nil {
		s.tell(protocol.MessageTypeLog, "the client does not register "+method+": "+err.Error())
	}
}

func shutdown(s *session, _ []byte) (func(context.Context) (any, error), error) {
	s.state.Store(afterShutdown)
	return nil, nil
}

// exit tells Serve to end the connection: closing it here would wait for this very handler.
func exit(s *session, _ []byte) (func(context.Context) (any, error), error) {
	s.end()
	return nil, nil
}

func setTrace(s *session, p *protocol.SetTraceParams) {
	s.verbose.Store(p.Value == protocol.TraceValueMessages || p.Value == protocol.TraceValueVerbose)
}

func isTrue(b *bool) bool { return b != nil && *b }
