package server

import (
	"github.com/layerwise/layerwise/cachemodel"
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
	Baseline      cachemodel.Baseline `json:"baseline"`
	BaselineLabel string              `json:"baselineLabel"`
	Notes         []string            `json:"notes"`
	Steps         []cachemodel.Step   `json:"steps"`
	Summary       cachemodel.Summary  `json:"summary"`
}

func (snap *snapshot) cacheStatus() *cacheStatus {
	status := &cacheStatus{URI: snap.uri, Version: &snap.version, State: "pending", Notes: []string{}, Steps: []cachemodel.Step{}}
	if w := snap.world; w != nil {
		m := snap.marks()
		status.State = "ready"
		status.Engine, status.Target = w.build.Engine, w.build.Target
		status.Baseline, status.BaselineLabel = w.baseline, w.label
		status.Notes, status.Steps, status.Summary = append(status.Notes, snap.notes()...), append(status.Steps, m.steps...), m.summary
	}
	return status
}
