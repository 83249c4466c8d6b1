package server

import (
	"context"
	"path/filepath"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/baseline"
	"github.com/layerwise/layerwise/cachemodel/buildcontext/gittree"
	"github.com/layerwise/layerwise/cachemodel/workspace"
	"go.lsp.dev/protocol"
	"go.lsp.dev/uri"
)

// selectBaselineCommand chooses what a Dockerfile is compared with, from then on: [uri, spec], where spec is as in the
// setting layerwise.baseline, and "" asks.
const selectBaselineCommand = "layerwise.selectBaseline"

func selectBaseline(ctx context.Context, s *session, u uri.URI, spec string) error {
	d, snap, err := s.openDockerfile(ctx, u)
	if err != nil {
		return err
	}
	if spec == "" {
		items := s.baselineItems(ctx, d)
		var titles []string
		for _, item := range items {
			titles = append(titles, item.Label)
		}
		i, err := s.ask(
			ctx,
			"Compare "+filepath.Base(d.path)+" with what? It is compared with "+snap.build.Compared.Label+" now.",
			titles,
		)
		if err != nil || i < 0 {
			return err
		}
		spec = items[i].Spec
	}
	if _, err := baseline.ParseSpec(spec); err != nil {
		return err
	}
	if spec == string(baseline.Auto) {
		spec = "" // as the settings say
	}
	if err := s.choose(d, workspace.BaselineChoice, spec); err != nil {
		s.show(protocol.MessageTypeWarning, sentence(err.Error()))
	}
	return nil
}

// baselinesMethod is the request, beside the standard, for clients that let people choose in their own way.
const baselinesMethod = "layerwise/baselines"

// baselinesParams and baselinesResult are described in docs/protocol.md.
type baselinesParams struct {
	TextDocument protocol.TextDocumentIdentifier `json:"textDocument"`
}

type baselinesResult struct {
	Current string         `json:"current"` // the spec that is chosen
	Items   []baselineItem `json:"items"`
}

// baselineItem is one thing to compare with.
type baselineItem struct {
	Spec   string `json:"spec"`
	Label  string `json:"label"`
	Detail string `json:"detail"`
}

func baselines(ctx context.Context, s *session, p *baselinesParams) (*baselinesResult, error) {
	d, snap, err := s.openDockerfile(ctx, p.TextDocument.URI)
	if err != nil {
		return nil, err
	}
	current := snap.build.Asked
	if chosen := s.store.Choice(d.path, workspace.BaselineChoice); chosen != "" && !s.untrusted {
		current = chosen // since then, perhaps
	}
	return &baselinesResult{Current: current, Items: s.baselineItems(ctx, d)}, nil
}

// baselineItems lists what there is to compare a document with. To find that out git is run and the builder is asked,
// and in a folder that is not trusted nothing else than the file as it was opened is compared with.
func (s *session) baselineItems(ctx context.Context, d *document) []baselineItem {
	opened := baselineItem{Spec: string(baseline.Opened), Label: "The file as it was opened"}
	if s.untrusted {
		return []baselineItem{opened}
	}
	items := []baselineItem{
		{
			Spec:   string(baseline.Auto),
			Label:  "Automatic",
			Detail: "the last build on record, else git HEAD, else the file as it was opened",
		},
	}
	records, _ := s.store.List(d.path)
	for i, r := range records {
		item := baselineItem{Spec: "recorded:" + r.ID, Label: upper(r.Label()), Detail: r.Summary()}
		if i == 0 {
			item.Spec = string(baseline.Recorded)
			item.Label = "Last on record: " + r.Label()
		}
		items = append(items, item)
	}
	s.mu.Lock()
	own, _ := s.settingsOfLocked(d.uri)
	s.mu.Unlock()
	if len(records) == 0 && s.builder(own.BuildKit) != nil {
		items = append(
			items,
			baselineItem{Spec: string(baseline.Recorded), Label: "The last build in the builder's history"},
		)
	}
	if head, err := gittree.Head(ctx, filepath.Dir(d.path)); err == nil && d.path != "" {
		items = append(
			items,
			baselineItem{Spec: string(baseline.Git), Label: "Git HEAD", Detail: "commit " + head[:min(12, len(head))]},
		)
		if base, err := gittree.MergeBase(ctx, filepath.Dir(d.path), gittree.Target{}); err == nil {
			items = append(items, baselineItem{
				Spec: string(baseline.Git) + ":" + baseline.MergeBase, Label: "Where the branch left the main branch",
				Detail: base.Revision + ": what a builder runs that has all of its build",
			})
			items = append(items, baselineItem{
				Spec: baseline.CI, Label: "CI, with its cache",
				Detail: "a fresh builder that imports what GitHub's workflows or GitLab's CI file say",
			})
			for _, mode := range []cachemodel.CacheMode{cachemodel.MinCache, cachemodel.MaxCache} {
				items = append(items, baselineItem{
					Spec: "ci:" + string(mode), Label: "CI, with a cache of " + mode.Text(),
					Detail: "a fresh builder that imports what the build of " + base.Revision + " exported",
				})
			}
		}
	}
	return append(items, opened)
}
