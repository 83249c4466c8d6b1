package baseline

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/record"
)

const (
	someText  = "FROM scratch\nCOPY a /\n"
	otherText = "FROM scratch\nCOPY b /\n"
)

var (
	here  = record.Builder{Address: "unix:///here.sock", ID: "1"}
	there = record.Builder{Address: "unix:///there.sock", ID: "2"}
)

// What the next build is compared with, by what is on record and what the builder says.
func TestWhatTheBuilderHas(t *testing.T) {
	now := time.Now()
	made := func(ago time.Duration, text string) *Contents {
		r := &record.Record{When: now.Add(-ago), Source: record.History, Text: text, Ref: text, Builder: here}
		return &Contents{File: parse([]byte(text)), Record: r}
	}
	tests := []struct {
		about   string
		records []record.Record // When is set from the order, the newest first: a minute between them
		answer  *Answer         // nil if there is no builder
		err     error           // it cannot be asked
		kind    Kind
		builds  int
		builder bool // it is known
		assumed string
		check   func(*Baseline) bool
	}{
		{about: "nothing at all", kind: None},
		{
			about:   "a builder that has built nothing: that is known",
			answer:  &Answer{Builder: here, Name: "B", Complete: true},
			kind:    None,
			builder: true,
		},
		{about: "one that may have forgotten", answer: &Answer{Builder: here, Name: "B"}, kind: None},
		{
			about:   "its history",
			answer:  &Answer{Builder: here, Name: "B", Builds: []*Contents{made(0, someText), made(1, otherText)}},
			kind:    Recorded,
			builds:  2,
			builder: true,
		},
		{
			about:   "a record of this builder, that remembers another build",
			records: []record.Record{{Text: otherText, Builder: here}},
			answer: &Answer{
				Builder: here,
				Name:    "B",
				Builds:  []*Contents{made(time.Hour, someText)},
			},
			kind:    Recorded,
			builds:  2,
			builder: true,
			check:   func(b *Baseline) bool { return b.Contents.Record.Text == otherText && b.Contents.Perhaps != "" },
		},
		{about: "the newest truth wins", records: []record.Record{{Text: otherText, Builder: here}},
			answer: &Answer{
				Builder: here,
				Name:    "B",
				Builds:  []*Contents{made(-time.Minute, someText)},
			}, kind: Recorded, builds: 2, builder: true,
			check: func(b *Baseline) bool { return b.Contents.Record.Text == someText }},
		{
			about:   "a record of a build that it remembers: one build",
			records: []record.Record{{Text: someText, Builder: here, Ref: someText}},
			answer: &Answer{
				Builder: here,
				Name:    "B",
				Builds:  []*Contents{made(0, someText)},
			},
			kind:    Recorded,
			builds:  1,
			builder: true,
			check: func(b *Baseline) bool {
				return b.Contents.Record.Source == record.Built &&
					b.Contents.Perhaps == ""
			},
		},
		{
			about:   "a record of another builder: this one has nothing",
			records: []record.Record{{Text: someText, Builder: there}},
			answer:  &Answer{Builder: here, Name: "B", Complete: true},
			kind:    None,
			builder: true,
		},
		{
			about:   "and counts for nothing where this one cannot be asked",
			records: []record.Record{{Text: someText, Builder: there}},
			answer:  &Answer{Builder: here, Name: "B"},
			err:     errors.New("no answer"),
			kind:    None,
		},
		{
			about:   "a record of this builder, which cannot be asked",
			records: []record.Record{{Text: someText, Builder: here}},
			answer: &Answer{
				Builder: here,
				Name:    "B",
			},
			err:     errors.New("no answer"),
			kind:    Recorded,
			builds:  1,
			builder: true,
		},
		{
			about:   "and of which is assumed that it still has what it built",
			records: []record.Record{{Text: someText, Builder: here}},
			answer:  &Answer{Builder: here, Name: "B", Silent: "B cannot be asked"},
			err:     errors.New("no answer"),
			kind:    Recorded,
			builds:  1,
			builder: true,
			assumed: "B still has what it built",
			check:   func(b *Baseline) bool { return b.Unseen.Anything && b.Contents.Perhaps == "" },
		},
		{
			about:   "a record of this builder, which does not answer in time: nothing is promised",
			records: []record.Record{{Text: someText, Builder: here}},
			answer:  &Answer{Builder: here, Name: "B", Silent: "B did not answer in time", Unknown: true},
			err:     errors.New("no answer"),
			kind:    Recorded,
			builds:  1,
			builder: true,
			check:   func(b *Baseline) bool { return b.Unseen.Anything && b.Contents.Perhaps != "" },
		},
		{
			about:  "no record, and no answer in time",
			answer: &Answer{Builder: here, Name: "B", Silent: "B did not answer in time", Unknown: true},
			err:    errors.New("no answer"),
			kind:   None,
			check:  func(b *Baseline) bool { return b.Unseen.Anything && b.Unseen.Reason != "" },
		},
		{
			about: "no build that is remembered, and results of others",
			answer: &Answer{
				Builder: here,
				Name:    "B",
				Unseen:  cachemodel.Unseen{Reason: "Why.", Commands: []string{"make"}},
			},
			kind:    None,
			builder: true,
			check: func(b *Baseline) bool {
				return len(b.Unseen.Commands) == 1 && strings.Contains(b.Label, "remembers no build")
			},
		},
		{
			about:   "a record of nobody knows which builder",
			records: []record.Record{{Text: someText}},
			kind:    Recorded,
			builds:  1,
			assumed: "was built here",
		},
		{
			about:   "what was marked as built is the user's word",
			records: []record.Record{{Text: someText, Source: record.Marked}},
			answer: &Answer{
				Builder: here,
				Name:    "B",
				Builds:  []*Contents{made(time.Hour, otherText)},
			},
			kind:    Recorded,
			builds:  2,
			builder: true,
		},
		{about: "an emptied cache", records: []record.Record{{Text: someText, Builder: here}},
			answer: &Answer{
				Builder:  here,
				Name:     "B",
				Complete: true,
				Emptied:  "It was emptied.",
			}, kind: Recorded, builds: 1, builder: true,
			check: func(b *Baseline) bool { return b.Contents.Results[2].Presence == cachemodel.Gone }},
		{
			about:   "a record that is older than all that is left",
			records: []record.Record{{Text: someText, Builder: here}},
			answer: &Answer{
				Builder:  here,
				Name:     "B",
				Complete: true,
				Oldest:   now.Add(time.Hour),
			},
			kind:    Recorded,
			builds:  1,
			builder: true,
			check:   func(b *Baseline) bool { return b.Contents.Results[2].Presence == cachemodel.Gone },
		},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			dockerfile := filepath.Join(t.TempDir(), "Dockerfile")
			store := record.NewStore(t.TempDir())
			for i, r := range test.records {
				r.Dockerfile, r.When = dockerfile, now.Add(-time.Duration(i)*time.Minute)
				if r.Source == "" {
					r.Source = record.Built
				}
				r.Settings.Engine = cachemodel.BuildKit
				if _, err := store.Put(&r); err != nil {
					t.Fatal(err)
				}
			}
			r := Request{Spec: Spec{Kind: Auto}, Dockerfile: dockerfile}
			if test.answer != nil {
				r.History = func(context.Context, Request) (*Answer, error) { return test.answer, test.err }
			}
			notes := r.Ask(t.Context(), store, record.Match{})
			if (len(notes) > 0) != (test.err != nil) {
				t.Errorf("notes %q", notes)
			}
			b, err := Find(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if b.Kind != string(test.kind) || len(b.Builds) != test.builds || (b.Builder != "") != test.builder ||
				!strings.Contains(b.Assumed, test.assumed) || (b.Assumed != "") != (test.assumed != "") {
				t.Errorf("kind %s, %d builds, builder %q, assumed %q", b.Kind, len(b.Builds), b.Builder, b.Assumed)
			}
			if test.check != nil && !test.check(&b) {
				t.Errorf("contents %+v", b.Contents)
			}
			if pasts := b.Pasts(cachemodel.Build{}, store, nil); len(pasts) != test.builds {
				t.Errorf("%d pasts", len(pasts))
			}
		})
	}
}
