package server

import (
	"context"
	"encoding/json"

	"go.lsp.dev/protocol"
)

// ofDockerfiles are the features that only Dockerfiles have. A client that can is told so: else it would take our
// word for Compose and bake files too, and other servers' folds, formatting and completion there would be gone.
var ofDockerfiles = []struct{ capability, method, provider string }{
	{"hover", protocol.MethodTextDocumentHover, "hoverProvider"},
	{"completion", protocol.MethodTextDocumentCompletion, "completionProvider"},
	{"signatureHelp", protocol.MethodTextDocumentSignatureHelp, "signatureHelpProvider"},
	{"references", protocol.MethodTextDocumentReferences, "referencesProvider"},
	{"documentHighlight", protocol.MethodTextDocumentDocumentHighlight, "documentHighlightProvider"},
	{"rename", protocol.MethodTextDocumentRename, "renameProvider"},
	{"linkedEditingRange", protocol.MethodTextDocumentLinkedEditingRange, "linkedEditingRangeProvider"},
	{"callHierarchy", protocol.MethodTextDocumentPrepareCallHierarchy, "callHierarchyProvider"},
	{"documentSymbol", protocol.MethodTextDocumentDocumentSymbol, "documentSymbolProvider"},
	{"foldingRange", protocol.MethodTextDocumentFoldingRange, "foldingRangeProvider"},
	{"selectionRange", protocol.MethodTextDocumentSelectionRange, "selectionRangeProvider"},
	{"documentLink", protocol.MethodTextDocumentDocumentLink, "documentLinkProvider"},
	{"semanticTokens", "textDocument/semanticTokens", "semanticTokensProvider"},
	{"formatting", protocol.MethodTextDocumentFormatting, "documentFormattingProvider"},
	{"rangeFormatting", protocol.MethodTextDocumentRangeFormatting, "documentRangeFormattingProvider"},
	{"onTypeFormatting", protocol.MethodTextDocumentOnTypeFormatting, "documentOnTypeFormattingProvider"},
	{"inlayHint", protocol.MethodTextDocumentInlayHint, "inlayHintProvider"},
}

// dockerfiles are the documents that isDockerfile takes.
var dockerfiles = []map[string]string{
	{"language": "dockerfile"}, {"language": "containerfile"},
	{"language": "plaintext", "pattern": "**/Dockerfile"}, {"language": "plaintext", "pattern": "**/Dockerfile*"},
	{"language": "plaintext", "pattern": "**/*.Dockerfile"}, {"language": "plaintext", "pattern": "**/*.dockerfile"},
	{"language": "plaintext", "pattern": "**/Containerfile"}, {"language": "plaintext", "pattern": "**/Containerfile*"},
}

// perDocument takes the features of Dockerfiles that the client lets the server register out of the result of
// initialize, and returns their registrations.
func perDocument(
	p *protocol.InitializeParams,
	result *protocol.InitializeResult,
) (any, []protocol.Registration, error) {
	var client struct {
		Capabilities struct {
			TextDocument map[string]struct{ DynamicRegistration bool }
		}
	}
	rawParams, err := protocol.Marshal(p)
	if err != nil {
		return nil, nil, err
	}
	_ = json.Unmarshal(rawParams, &client) // what does not decode is not registered
	raw, err := protocol.Marshal(result)
	if err != nil {
		return nil, nil, err
	}
	var answer map[string]json.RawMessage
	var provided map[string]json.RawMessage
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(answer["capabilities"], &provided); err != nil {
		return nil, nil, err
	}
	var registrations []protocol.Registration
	for _, f := range ofDockerfiles {
		options := map[string]any{}
		if provided[f.provider] == nil || !client.Capabilities.TextDocument[f.capability].DynamicRegistration {
			continue
		}
		_ = json.Unmarshal(provided[f.provider], &options) // "true" has none
		options["documentSelector"] = dockerfiles
		raw, err := json.Marshal(options)
		if err != nil {
			return nil, nil, err
		}
		registrations = append(
			registrations,
			protocol.Registration{ID: "dockerfiles/" + f.capability, Method: f.method, RegisterOptions: raw},
		)
		delete(provided, f.provider)
	}
	if answer["capabilities"], err = json.Marshal(provided); err != nil {
		return nil, nil, err
	}
	return answer, registrations, nil
}

// registerFeatures registers what perDocument returned.
func (s *session) registerFeatures(ctx context.Context) {
	if len(s.registrations) == 0 {
		return
	}
	if err := s.client.RegisterCapability(ctx,
		&protocol.RegistrationParams{Registrations: s.registrations}); err != nil &&
		ctx.Err() == nil {
		s.tell(protocol.MessageTypeError, "the client does not register the features of Dockerfiles: "+err.Error())
	}
}
