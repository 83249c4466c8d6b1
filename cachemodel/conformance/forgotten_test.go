package conformance

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/layerwise/layerwise/cachemodel"
	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/client"
)

const forgottenText = `FROM base
RUN echo first %[1]s
COPY a.txt /a
RUN echo second %[1]s
COPY b.txt /b
`

const forgottenWord = "word"

// What a builder does not remember any more it may still have, and what it remembers it may have lost.
func TestForgottenBuilds(t *testing.T) {
	r := startReal(t)
	ctx := context.Background()
	control := r.daemon.Client.ControlClient()
	forget := func(t *testing.T) { // all builds so far
		t.Helper()
		listed, err := control.ListenBuildHistory(ctx, &controlapi.BuildHistoryRequest{EarlyExit: true})
		if err != nil {
			t.Fatal(err)
		}
		for {
			event, err := listed.Recv()
			if err != nil {
				return
			}
			_, err = control.UpdateBuildHistory(ctx, &controlapi.UpdateBuildHistoryRequest{
				Ref: event.Record.Ref, Delete: true,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(t *testing.T, description string) { // results, and what stands on them
		t.Helper()
		for range 100 {
			usage, err := r.daemon.Client.DiskUsage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			gone := map[string]bool{}
			for range usage { // what stands on what is gone
				for _, u := range usage {
					on := slices.ContainsFunc(u.Parents, func(id string) bool { return gone[id] })
					gone[u.ID] = gone[u.ID] || on || u.Description == description
				}
			}
			left := 0
			for _, u := range usage {
				if gone[u.ID] {
					left++
					if err := r.daemon.Client.Prune(ctx, nil, client.WithFilter([]string{"id==" + u.ID})); err != nil {
						t.Fatal(err)
					}
				}
			}
			if left == 0 {
				return
			}
		}
		t.Fatal("it is still there")
	}
	tests := []struct {
		about   string
		play    func(t *testing.T, p *sequence)
		cached  []int // lines that are promised to be cached
		perhaps []int
		rebuilt []int // certainly
	}{
		{
			about: "all builds were removed from the history: the cache has everything still",
			play: func(t *testing.T, p *sequence) {
				p.build(t)
				forget(t)
			},
			perhaps: []int{2, 3, 4, 5},
		},
		{
			about: "and a command that never ran is certain to run",
			play: func(t *testing.T, p *sequence) {
				p.build(t)
				forget(t)
				p.write(t, "Dockerfile", fmt.Sprintf(forgottenText, "another"))
			},
			perhaps: []int{3, 5},
			rebuilt: []int{2, 4},
		},
		{
			about: "the last build took steps of a forgotten one: what it made stands on them",
			play: func(t *testing.T, p *sequence) {
				p.build(t)
				forget(t)
				p.write(t, "b.txt", "other")
				p.settle(t)
				p.build(t)
			},
			cached: []int{2, 3, 4, 5},
		},
		{
			about: "the last build took everything from a forgotten one",
			play: func(t *testing.T, p *sequence) {
				p.build(t)
				forget(t)
				p.build(t)
			},
			perhaps: []int{2, 3, 4, 5},
		},
		{
			about: "and one of the results was removed then",
			play: func(t *testing.T, p *sequence) {
				p.build(t)
				forget(t)
				p.build(t)
				remove(t, "mount / from exec /bin/sh -c echo second "+forgottenWord)
			},
			perhaps: []int{2, 3},
			rebuilt: []int{4, 5},
		},
		{
			about: "an edit that was undone, both builds forgotten but the one in between",
			play: func(t *testing.T, p *sequence) {
				p.build(t)
				forget(t)
				p.write(t, "b.txt", "other")
				p.settle(t)
				p.build(t)
				p.write(t, "b.txt", "b")
			},
			cached:  []int{2, 3, 4},
			perhaps: []int{5},
		},
		{
			about: "everything was removed, and nothing remembered",
			play: func(t *testing.T, p *sequence) {
				p.build(t)
				forget(t)
				if err := r.daemon.Client.Prune(ctx, nil, client.PruneAll); err != nil {
					t.Fatal(err)
				}
			},
			rebuilt: []int{2, 3, 4, 5},
		},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			forget(t)
			if err := r.daemon.Client.Prune(ctx, nil, client.PruneAll); err != nil {
				t.Fatal(err)
			}
			p := newSequence(t, r.images, false, r.daemon)
			p.write(t, "Dockerfile", fmt.Sprintf(forgottenText, forgottenWord))
			p.write(t, "a.txt", "a")
			p.write(t, "b.txt", "b")
			p.settle(t)
			test.play(t, p)
			p.settle(t)
			b, steps := p.predict(t)
			ran, failed := p.build(t)
			o := &outcome{}
			o.check(t, b.Compared.Label, steps, ran, failed)
			lines := func(status cachemodel.Status, certain bool) (out []int) {
				for _, s := range steps {
					if s.Status == status && s.Certain == certain && s.Instruction != "FROM" {
						out = append(out, s.Line)
					}
				}
				return out
			}
			cached, perhaps, rebuilt := lines(cachemodel.Cached, true), lines(cachemodel.Rebuilt, false),
				lines(cachemodel.Rebuilt, true)
			if !slices.Equal(cached, test.cached) || !slices.Equal(perhaps, test.perhaps) ||
				!slices.Equal(rebuilt, test.rebuilt) {
				t.Errorf("%s: cached %v, perhaps %v, rebuilt %v", b.Compared.Label, cached, perhaps, rebuilt)
				for _, s := range steps {
					t.Logf("%d %s %v %s %+v", s.Line, s.Status, s.Certain, s.Detail, s.Cause)
				}
			}
		})
	}
}
