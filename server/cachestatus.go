package server

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"go.lsp.dev/jsonrpc2"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// cacheStatusMethod is the notification, beside the standard, for clients that paint the marks themselves.
const cacheStatusMethod = "layerwise/cacheStatus"

// cacheStatus are its parameters; docs/protocol.md describes them.
type cacheStatus struct {
	URI           uri.URI             `json:"uri"`
	Version       *int32              `json:"version"` // null for a document that has been closed
	State         string              `json:"state"`   // "ready", or "pending" while context or baseline are being read
	Engine        cachemodel.Engine   `json:"engine"`
	Target        string              `json:"target"`
	Build         string              `json:"build,omitempty"` // the service or target whose settings count: "compose:web"
	Context       *reportedContext    `json:"context,omitempty"`
	Baseline      cachemodel.Baseline `json:"baseline"`
	BaselineLabel string              `json:"baselineLabel"`
	Notes         []string            `json:"notes"`
	Summary       cachemodel.Summary  `json:"summary"`
	Hints         []hintText          `json:"hints,omitempty"`
	Stages        []stageText         `json:"stages,omitempty"`
	Steps         []cachemodel.Step   `json:"steps,omitempty"` // see encode
}

// hintText is an inlay hint for a client that writes it itself: the 1-based line at whose end it stands.
type hintText struct {
	Line int    `json:"line"`
	Text string `json:"text"`
}

// stageText is the summary of a stage for such a client, with the lines of its FROM.
type stageText struct {
	Line    int    `json:"line"`
	EndLine int    `json:"endLine"`
	Text    string `json:"text"`
}

// reportedContext says where the build context is, and why there.
type reportedContext = workspace.ReportedContext

func (snap *snapshot) cacheStatus() *cacheStatus {
	status := &cacheStatus{URI: snap.uri, Version: &snap.version, State: "pending", Notes: []string{}}
	if b := snap.build; b != nil {
		m := snap.marks()
		status.State = "ready"
		status.Context = &reportedContext{Dir: b.Context.Dir, From: b.Context.From.Kind}
		if b.Entry != nil {
			status.Build = b.Entry.ID
		}
		status.Engine, status.Target = b.Settings.Engine, b.Settings.Target
		status.Baseline, status.BaselineLabel = b.Compared.Baseline, b.Compared.Label
		status.Notes, status.Steps, status.Summary = append(status.Notes, snap.notes()...), m.steps, m.summary
		if snap.can.writesTexts {
			status.Hints, status.Stages = snap.hintTexts(), snap.stageTexts()
		}
	}
	return status
}

// hintTexts are the inlay hints that the settings want.
func (snap *snapshot) hintTexts() []hintText {
	var out []hintText
	for _, in := range snap.file.Instructions {
		if _, text := snap.hint(in); text != "" {
			out = append(out, hintText{Line: in.EndLine, Text: text})
		}
	}
	return out
}

// stageTexts are the summaries of the stages.
func (snap *snapshot) stageTexts() []stageText {
	var out []stageText
	if snap.build.Compared.Baseline.Kind == noBaseline {
		return nil
	}
	for _, stage := range snap.file.Stages {
		if text := stageSummary(snap, stage, len(out) == 0); text != "" {
			out = append(out, stageText{Line: stage.From.Line, EndLine: stage.From.EndLine, Text: titleText(text)})
		}
	}
	return out
}

// encode is the status as JSON. It writes the steps itself: they are sent at every keystroke, a thousand of them in a
// long file, and by reflection that takes as long as planning the build.
func (status *cacheStatus) encode() (jsonrpc2.RawMessage, error) {
	head := *status
	head.Steps = nil
	out, err := protocol.Marshal(&head)
	if err != nil {
		return nil, err
	}
	out = slices.Grow(out, 256*len(status.Steps)+16)
	out = append(out[:len(out)-1], `,"steps":[`...)
	for i := range status.Steps {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendStep(out, &status.Steps[i])
	}
	return append(out, "]}"...), nil
}

// appendStep appends a step as encoding/json would.
func appendStep(out []byte, s *cachemodel.Step) []byte {
	text := func(name, value string) {
		out = append(append(append(out, ",\""...), name...), "\":"...)
		out, _ = jsontext.AppendQuote(out, value) // an error is about invalid UTF-8, which it has replaced
	}
	texts := func(name string, values []string) {
		for i, value := range values {
			if i == 0 {
				out = append(append(append(out, ",\""...), name...), "\":["...)
			} else {
				out = append(out, ',')
			}
			out, _ = jsontext.AppendQuote(out, value)
		}
		if len(values) > 0 {
			out = append(out, ']')
		}
	}
	out = strconv.AppendInt(append(out, `{"line":`...), int64(s.Line), 10)
	out = strconv.AppendInt(append(out, `,"endLine":`...), int64(s.EndLine), 10)
	text("stage", s.Stage)
	text("instruction", s.Instruction)
	text("text", s.Text)
	text("status", string(s.Status))
	out = strconv.AppendBool(append(out, `,"certain":`...), s.Certain)
	if c := s.Cause; c != nil {
		out = strconv.AppendInt(append(out, `,"cause":{"line":`...), int64(c.Line), 10)
		text("kind", string(c.Kind))
		texts("paths", c.Paths)
		text("detail", c.Detail)
		out = append(out, '}')
	}
	if s.Detail != "" {
		text("detail", s.Detail)
	}
	texts("assuming", s.Assuming)
	if s.Seconds != nil {
		out = strconv.AppendFloat(append(out, `,"seconds":`...), *s.Seconds, 'f', -1, 64)
	}
	if s.Bytes != nil {
		out = strconv.AppendInt(append(out, `,"bytes":`...), *s.Bytes, 10)
	}
	if s.Shared {
		out = append(out, `,"shared":true`...)
	}
	return append(out, '}')
}
