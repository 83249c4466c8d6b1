package server

import (
	"context"
	"reflect"

	"github.com/layerwise/layerwise/analysis/rules"
	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// methods is the table of everything that a client may send. A message that is not here is answered with
// MethodNotFound if it is a request and ignored if it is a notification.
var methods = map[string]method{
	protocol.MethodInitialize:  {call: true, start: startInitialize},
	protocol.MethodInitialized: notification(initialized),
	protocol.MethodShutdown:    {call: true, start: shutdown},
	protocol.MethodExit:        {start: exit},
	protocol.MethodSetTrace:    notification(setTrace),

	protocol.MethodCancelRequest:                notification(cancelRequest),
	protocol.MethodWindowWorkDoneProgressCancel: notification(cancelProgress),

	protocol.MethodTextDocumentDidOpen:   notification(didOpen),
	protocol.MethodTextDocumentDidChange: {start: startChange},
	protocol.MethodTextDocumentDidSave:   notification(didSave),
	protocol.MethodTextDocumentDidClose:  notification(didClose),

	protocol.MethodWorkspaceDidChangeConfiguration:    notification(didChangeConfiguration),
	protocol.MethodWorkspaceDidChangeWorkspaceFolders: notification(didChangeWorkspaceFolders),
	protocol.MethodWorkspaceDidChangeWatchedFiles:     notification(didChangeWatchedFiles),

	protocol.MethodWorkspaceExecuteCommand: decides(anytime(executeCommand)),

	baselinesMethod: afterDecisions(anytime(baselines)),
	buildsMethod:    afterDecisions(anytime(buildsOf)),

	protocol.MethodTextDocumentDiagnostic: orBuildFile(
		queryAny(diagnostic, func(p *protocol.DocumentDiagnosticParams) uri.URI { return p.TextDocument.URI }),
		func(p *protocol.DocumentDiagnosticParams) uri.URI { return p.TextDocument.URI },
		buildFileDiagnostic,
	),
	protocol.MethodTextDocumentInlayHint: queryBoth(
		inlayHint,
		func(p *protocol.InlayHintParams) uri.URI { return p.TextDocument.URI },
		buildFileHints,
	),
	protocol.MethodTextDocumentCodeLens: titled(
		queryBoth(
			codeLens,
			func(p *protocol.CodeLensParams) uri.URI { return p.TextDocument.URI },
			buildFileLenses,
		),
	),
	protocol.MethodTextDocumentHover: queryBoth(
		hover,
		func(p *protocol.HoverParams) uri.URI { return p.TextDocument.URI },
		buildFileHover,
	),
	protocol.MethodTextDocumentCodeAction: titled(
		queryBoth(
			codeAction,
			func(p *protocol.CodeActionParams) uri.URI { return p.TextDocument.URI },
			buildFileActions,
		),
	),
	protocol.MethodCodeActionResolve: anytime(resolveAction),
	protocol.MethodTextDocumentCompletion: language(
		completion,
		func(p *protocol.CompletionParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodCompletionItemResolve: call(resolveCompletion),
	protocol.MethodTextDocumentSignatureHelp: language(
		signatureHelp,
		func(p *protocol.SignatureHelpParams) uri.URI { return p.TextDocument.URI },
	),

	protocol.MethodTextDocumentDefinition: orBuildFile(
		shared(definition, func(p *protocol.DefinitionParams) uri.URI { return p.TextDocument.URI }),
		func(p *protocol.DefinitionParams) uri.URI { return p.TextDocument.URI },
		buildFileDefinition,
	),
	protocol.MethodTextDocumentReferences: query(
		references,
		func(p *protocol.ReferenceParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodTextDocumentDocumentHighlight: shared(
		documentHighlight,
		func(p *protocol.DocumentHighlightParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodTextDocumentPrepareRename: queryBoth(
		prepareRename,
		func(p *protocol.PrepareRenameParams) uri.URI { return p.TextDocument.URI },
		buildFilePrepareRename,
	),
	protocol.MethodTextDocumentRename: orBuildFile(
		method{call: true, beside: true, start: startRename},
		func(p *protocol.RenameParams) uri.URI { return p.TextDocument.URI },
		buildFileRename,
	),
	protocol.MethodTextDocumentLinkedEditingRange: language(
		linkedEditing,
		func(p *protocol.LinkedEditingRangeParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodTextDocumentPrepareCallHierarchy: query(
		prepareCallHierarchy,
		func(p *protocol.CallHierarchyPrepareParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodCallHierarchyIncomingCalls: query(
		incomingCalls,
		func(p *protocol.CallHierarchyIncomingCallsParams) uri.URI { return p.Item.URI },
	),
	protocol.MethodCallHierarchyOutgoingCalls: query(
		outgoingCalls,
		func(p *protocol.CallHierarchyOutgoingCallsParams) uri.URI { return p.Item.URI },
	),

	protocol.MethodTextDocumentDocumentSymbol: shared(
		documentSymbol,
		func(p *protocol.DocumentSymbolParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodTextDocumentFoldingRange: shared(
		foldingRange,
		func(p *protocol.FoldingRangeParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodTextDocumentSelectionRange: query(
		selectionRange,
		func(p *protocol.SelectionRangeParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodTextDocumentDocumentLink: shared(
		documentLink,
		func(p *protocol.DocumentLinkParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodTextDocumentSemanticTokensFull: query(
		semanticTokensFull,
		func(p *protocol.SemanticTokensParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodTextDocumentSemanticTokensRange: query(
		semanticTokensRange,
		func(p *protocol.SemanticTokensRangeParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodTextDocumentSemanticTokensFullDelta: query(
		semanticTokensDelta,
		func(p *protocol.SemanticTokensDeltaParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodTextDocumentFormatting: language(
		formatting,
		func(p *protocol.DocumentFormattingParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodTextDocumentRangeFormatting: language(
		rangeFormatting,
		func(p *protocol.DocumentRangeFormattingParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodTextDocumentRangesFormatting: language(
		rangesFormatting,
		func(p *protocol.DocumentRangesFormattingParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodTextDocumentOnTypeFormatting: language(
		onTypeFormatting,
		func(p *protocol.DocumentOnTypeFormattingParams) uri.URI { return p.TextDocument.URI },
	),
	protocol.MethodWorkspaceDiagnostic:      beside(workspaceDiagnostic),
	protocol.MethodWorkspaceSymbol:          beside(workspaceSymbol),
	protocol.MethodWorkspaceWillRenameFiles: beside(willRenameFiles),
}

// titled is a request whose answer has titles in it, in which names may stand that hold anything.
func titled(m method) method {
	start := m.start
	m.start = func(s *session, params []byte) (func(context.Context) (any, error), error) {
		finish, err := start(s, params)
		if finish == nil {
			return nil, err
		}
		return func(ctx context.Context) (any, error) {
			result, err := finish(ctx)
			switch list := result.(type) {
			case []protocol.CodeLens:
				for i := range list {
					c := &list[i].Command
					c.Title = titleText(c.Title)
					if c.Tooltip != nil {
						tip := titleText(*c.Tooltip)
						c.Tooltip = &tip
					}
				}
			case []protocol.CommandOrCodeAction:
				for _, item := range list {
					if action, ok := item.(*protocol.CodeAction); ok {
						action.Title = titleText(action.Title)
					}
				}
			}
			return result, err
		}, err
	}
	return m
}

// decides is a command: what a person decides is seen by the lists that are asked for after it. A command that asks
// the person in turn, or that builds, holds nothing up.
func decides(m method) method {
	start := m.start
	m.start = func(s *session, params []byte) (func(context.Context) (any, error), error) {
		finish, err := start(s, params)
		var p protocol.ExecuteCommandParams
		if err != nil || protocol.Unmarshal(params, &p) != nil || !decidesAtOnce(&p) {
			return finish, err
		}
		before, done := s.decided, make(chan struct{})
		s.decided = done
		return func(ctx context.Context) (any, error) {
			defer close(done)
			if err := await(ctx, before); err != nil {
				return nil, err
			}
			return finish(ctx)
		}, nil
	}
	return m
}

// afterDecisions is a request that waits for the decisions that were sent before it.
func afterDecisions(m method) method {
	start := m.start
	m.start = func(s *session, params []byte) (func(context.Context) (any, error), error) {
		finish, err := start(s, params)
		before := s.decided
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) (any, error) {
			if err := await(ctx, before); err != nil {
				return nil, err
			}
			return finish(ctx)
		}, nil
	}
	return m
}

// await waits until a channel is closed, nil being closed already.
func await(ctx context.Context, closed <-chan struct{}) error {
	if closed == nil {
		return nil
	}
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// method is how one kind of message is handled.
type method struct {
	call   bool // a request; else a notification
	beside bool // what start returns runs beside the messages that follow
	// start runs in wire order. It changes the session's state or takes what the answer is made from; the function
	// that it returns, if any, makes the answer. Neither may keep params.
	start func(s *session, params []byte) (finish func(context.Context) (any, error), err error)
}

// notification is a method that changes the session's state, cheaply.
func notification[P any](take func(*session, *P)) method {
	return method{start: func(s *session, params []byte) (func(context.Context) (any, error), error) {
		p, err := decode[P](params)
		if err == nil {
			take(s, p)
		}
		return nil, err
	}}
}

// call is a request that is answered before the next message is read.
func call[P, R any](answer func(*session, *P) (R, error)) method {
	return method{call: true, start: func(s *session, params []byte) (func(context.Context) (any, error), error) {
		p, err := decode[P](params)
		if err != nil {
			return nil, err
		}
		return func(context.Context) (any, error) { return answer(s, p) }, nil
	}}
}

// beside is a request that concerns no single document: start takes what the answer is made from in wire order.
func beside[P any](start func(*session, *P) (func(context.Context) (any, error), error)) method {
	return method{
		call:   true,
		beside: true,
		start: func(s *session, params []byte) (func(context.Context) (any, error), error) {
			p, err := decode[P](params)
			if err != nil {
				return nil, err
			}
			return start(s, p)
		},
	}
}

// anytime is a request whose answer is made from the session as it is by then; it may ask the client in turn.
func anytime[P, R any](answer func(context.Context, *session, *P) (R, error)) method {
	return beside(func(s *session, p *P) (func(context.Context) (any, error), error) {
		return func(ctx context.Context) (any, error) { return answer(ctx, s, p) }, nil
	})
}

// query is a request about one Dockerfile: its snapshot is taken in wire order, the answer is made from that alone.
// Of any other document the answer is null, so that the editor asks other servers, and so it is where there is nothing
// to say, and of a file that is too large, of which only a finding says that.
func query[P, R any](answer func(context.Context, *snapshot, *P) (R, error), document func(*P) uri.URI) method {
	return queryAny(func(ctx context.Context, snap *snapshot, p *P) (any, error) {
		if snap == nil || snap.file.TooLarge() {
			return nil, nil
		}
		result, err := answer(ctx, snap, p)
		return orNull(result), err
	}, document)
}

// queryBoth is a query that is answered in Compose and bake files too.
func queryBoth[P, R, B any](
	answer func(context.Context, *snapshot, *P) (R, error),
	document func(*P) uri.URI,
	inBuildFile func(context.Context, *buildText, *P) (B, error),
) method {
	return orBuildFile(query(answer, document), document, inBuildFile)
}

// shared is a query that other servers for Dockerfiles answer too: to them it is left where only marks are wanted.
func shared[P, R any](answer func(context.Context, *snapshot, *P) (R, error), document func(*P) uri.URI) method {
	return query(func(ctx context.Context, snap *snapshot, p *P) (any, error) {
		if snap.settings.MarksOnly {
			return nil, nil
		}
		return answer(ctx, snap, p)
	}, document)
}

// language is a query that only makes sense where the file's language is known: another program may read the file, or
// make it of a template.
func language[P, R any](answer func(context.Context, *snapshot, *P) (R, error), document func(*P) uri.URI) method {
	return shared(func(ctx context.Context, snap *snapshot, p *P) (any, error) {
		if rules.Opaque(snap.file) {
			return nil, nil
		}
		return answer(ctx, snap, p)
	}, document)
}

// orNull is an answer, null for an empty list: editors take a list for the last word, and ask other servers after null.
func orNull(result any) any {
	switch v := reflect.ValueOf(result); {
	case v.Kind() == reflect.Slice && v.Len() == 0, v.Kind() == reflect.Pointer && v.IsNil():
		return nil
	}
	return result
}

// queryAny is query with a say about every document: the snapshot is nil where it is not open or is no Dockerfile.
func queryAny[P, R any](answer func(context.Context, *snapshot, *P) (R, error), document func(*P) uri.URI) method {
	return method{
		call:   true,
		beside: true,
		start: func(s *session, params []byte) (func(context.Context) (any, error), error) {
			p, err := decode[P](params)
			if err != nil {
				return nil, err
			}
			snap := s.snapshotOf(document(p))
			return func(ctx context.Context) (any, error) {
				if ctx.Err() != nil {
					return nil, ctx.Err()
				}
				return answer(ctx, snap, p)
			}, nil
		},
	}
}

func decode[P any](params []byte) (*P, error) {
	p := new(P)
	if err := protocol.Unmarshal(params, p); err != nil {
		return nil, jsonrpc2.NewError(jsonrpc2.InvalidParams, "the parameters cannot be read: "+err.Error())
	}
	return p, nil
}
