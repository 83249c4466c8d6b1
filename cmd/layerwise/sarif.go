package main

import (
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/source"
)

// The types below are the part of SARIF 2.1.0 that a check needs (docs.oasis-open.org/sarif/sarif/v2.1.0).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		ColumnKind  string            `json:"columnKind"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID                   string       `json:"id"`
		ShortDescription     sarifMessage `json:"shortDescription"`
		FullDescription      sarifMessage `json:"fullDescription"`
		Help                 sarifMessage `json:"help"`
		HelpURI              string       `json:"helpUri"`
		DefaultConfiguration sarifLevel   `json:"defaultConfiguration"`
		Properties           *sarifTags   `json:"properties,omitempty"`
	}
	sarifTags struct {
		Tags []string `json:"tags"` // codes of hadolint's rules about the same
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifMessage struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifInvocation struct {
		ExecutionSuccessful        bool                `json:"executionSuccessful"`
		ToolExecutionNotifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string       `json:"level"`
		Message sarifMessage `json:"message"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations"`
		Fixes     []sarifFix      `json:"fixes,omitempty"`
	}
	sarifLocation struct {
		PhysicalLocation sarifPhysicalLocation `json:"physicalLocation"`
	}
	sarifPhysicalLocation struct {
		ArtifactLocation sarifArtifact `json:"artifactLocation"`
		Region           sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
		EndLine     int `json:"endLine"`
		EndColumn   int `json:"endColumn"`
	}
	sarifFix struct {
		Description     sarifMessage  `json:"description"`
		ArtifactChanges []sarifChange `json:"artifactChanges"`
	}
	sarifChange struct {
		ArtifactLocation sarifArtifact      `json:"artifactLocation"`
		Replacements     []sarifReplacement `json:"replacements"`
	}
	sarifReplacement struct {
		DeletedRegion   sarifRegion  `json:"deletedRegion"`
		InsertedContent sarifMessage `json:"insertedContent"`
	}
)

func printSARIF(w io.Writer, report checkReport) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name: "layerwise", Version: versionString(), InformationURI: "https://github.com/layerwise/layerwise",
			Rules: []sarifRule{},
		}},
		Invocations: []sarifInvocation{{ExecutionSuccessful: len(report.failures) == 0}},
		ColumnKind:  "unicodeCodePoints",
		Results:     []sarifResult{},
	}
	for _, r := range rules.Every() {
		var tags *sarifTags
		if len(r.Hadolint) > 0 {
			tags = &sarifTags{r.Hadolint}
		}
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			Properties:           tags,
			ID:                   r.ID,
			ShortDescription:     sarifMessage{Text: r.Doc.Summary},
			FullDescription:      sarifMessage{Text: r.Doc.What},
			Help:                 sarifMessage{Text: r.Doc.Why, Markdown: r.Markdown()},
			HelpURI:              r.URL(),
			DefaultConfiguration: sarifLevel{sarifLevelOf(r.Severity)},
		})
	}
	for _, err := range report.failures {
		invocation := &run.Invocations[0]
		invocation.ToolExecutionNotifications = append(
			invocation.ToolExecutionNotifications,
			sarifNotification{"error", sarifMessage{Text: printableLines(err.Error())}},
		)
	}
	for _, f := range report.files {
		artifact := sarifArtifact{sarifURI(f.path)}
		for _, finding := range f.findings {
			result := sarifResult{
				RuleID: finding.Rule,
				RuleIndex: slices.IndexFunc(
					run.Tool.Driver.Rules,
					func(r sarifRule) bool { return r.ID == finding.Rule },
				),
				Level:     sarifLevelOf(finding.Severity),
				Message:   sarifMessage{Text: printable(finding.Message)},
				Locations: []sarifLocation{{sarifPhysicalLocation{artifact, sarifRegionOf(f.text, finding.Span)}}},
			}
			if finding.Code != "" {
				result.RuleID += "/" + finding.Code // SARIF lets a rule have parts
			}
			for _, fix := range finding.Fixes {
				change := sarifChange{ArtifactLocation: artifact}
				for _, e := range fix.Edits {
					change.Replacements = append(
						change.Replacements,
						sarifReplacement{sarifRegionOf(f.text, e.Span), sarifMessage{Text: e.NewText}},
					)
				}
				result.Fixes = append(result.Fixes, sarifFix{sarifMessage{Text: printable(fix.Title)}, []sarifChange{change}})
			}
			run.Results = append(run.Results, result)
		}
	}
	return printJSON(w, sarifLog{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	})
}

func sarifLevelOf(severity analysis.Severity) string {
	if severity <= analysis.Warning {
		return severity.String()
	}
	return "note"
}

func sarifRegionOf(text *source.Text, span source.Span) sarifRegion {
	r := rangeOf(text, span)
	return sarifRegion{r.Start.Line, r.Start.Column, r.End.Line, r.End.Column}
}

// sarifURI returns a relative reference for a relative path and a file URI for an absolute one.
func sarifURI(path string) string {
	slashed := filepath.ToSlash(path)
	if !filepath.IsAbs(path) {
		return (&url.URL{Path: slashed}).String()
	}
	if !strings.HasPrefix(slashed, "/") { // a Windows path with a drive letter
		slashed = "/" + slashed
	}
	return (&url.URL{Scheme: "file", Path: slashed}).String()
}
