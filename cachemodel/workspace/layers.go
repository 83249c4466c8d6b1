package workspace

import (
	"cmp"
	"errors"
	"slices"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/record"
)

// Layers says what an image consists of, and which instruction added what, as `layerwise layers --format json` gives
// it.
type Layers struct {
	File  string    `json:"file,omitempty"`  // the Dockerfile; absent if none is known to have made the image
	Build *WhyBuild `json:"build,omitempty"` // the build that made it; absent if the file has not changed since
	Image string    `json:"image,omitempty"` // its name or digest; absent if no engine has it
	ID    string    `json:"id,omitempty"`
	Bytes int64     `json:"bytes"`
	// Own are those in layers that no other image of the engine has; absent if that is not known.
	Own *int64 `json:"own,omitempty"`
	// Again are those of steps that the next build runs again; absent if that is not known.
	Again  *int64  `json:"again,omitempty"`
	Layers []Layer `json:"layers"` // the oldest first
	// Text is the Dockerfile as it was built.
	Text string `json:"-"`
}

// Layer is an entry of an image's history.
type Layer struct {
	Line        int    `json:"line,omitempty"` // 1-based; absent for what was there before the Dockerfile
	EndLine     int    `json:"endLine,omitempty"`
	Stage       string `json:"stage,omitempty"`
	Instruction string `json:"instruction,omitempty"`
	Text        string `json:"text,omitempty"`      // the instruction on one line
	CreatedBy   string `json:"createdBy,omitempty"` // as docker image history shows it
	Bytes       int64  `json:"bytes"`
	// SharedWith are other images that have the layer, too; absent if that is not known.
	SharedWith []string `json:"sharedWith,omitempty"`
	// Status is the verdict on the instruction in the next build; absent if the Dockerfile has changed since.
	Status cachemodel.Status `json:"status,omitempty"`
}

// LayersOf describes an image of which no Dockerfile is known.
func LayersOf(image *cachemodel.StoredImage) *Layers {
	out := &Layers{Image: image.ID, ID: image.ID}
	if len(image.Tags) > 0 {
		out.Image = image.Tags[0]
	}
	own := int64(0)
	for _, h := range image.History {
		out.Bytes += h.Bytes
		if h.SharedWith != nil {
			out.Own = &own
			if len(h.SharedWith) == 0 {
				own += h.Bytes
			}
		}
		out.Layers = append(out.Layers, Layer{CreatedBy: h.CreatedBy, Bytes: h.Bytes, SharedWith: h.SharedWith})
	}
	return out
}

// ImageNames are the digests and names that the Dockerfile's images have, the likeliest first.
func (b *Build) ImageNames() (names []string) {
	for _, c := range b.Compared.made {
		if c.FailedAt == 0 && !c.Other() {
			names = append(append(names, c.Record.Image), c.Record.Tags...)
		}
	}
	if b.Entry != nil {
		names = append(names, b.Entry.Tags...)
	}
	seen := map[string]bool{"": true}
	return slices.DeleteFunc(names, func(name string) bool {
		again := seen[name]
		seen[name] = true
		return again
	})
}

// Layers says which instructions of the Dockerfile, as it is now or as it was in a build that is known, made an image.
// Where no engine has one, image is nil, and the builder or the records tell the sizes.
func (b *Build) Layers(
	name string, now *dockerfile.File, image *cachemodel.StoredImage, store *record.Store,
) (*Layers, error) {
	next := b.Next(now, nil)
	builds := []cachemodel.Build{next}
	records := []*record.Record{nil}
	for _, c := range b.Compared.made {
		if c.FailedAt == 0 && !c.Other() {
			builds, records = append(builds, c.Build(next, store)), append(records, c.Record)
		}
	}
	if image == nil {
		if len(builds) < 2 || len(builds[1].Costs) == 0 {
			return nil, errors.New("no image of the Dockerfile is known, nor what its steps left: name the image, or " +
				"build it with layerwise build")
		}
		return b.layersOnRecord(name, now, builds[1], records[1]), nil
	}
	for i, build := range builds {
		plan := cachemodel.NewPlan(build)
		lines, ok := plan.HistoryLines(image.History)
		if !ok {
			continue
		}
		out := LayersOf(image)
		for i := range out.Layers {
			out.Layers[i].Line = lines[i]
		}
		b.place(out, name, now, build, records[i])
		return out, nil
	}
	return LayersOf(image), nil
}

// layersOnRecord are the layers of the last build as the builder tells.
func (b *Build) layersOnRecord(name string, now *dockerfile.File, build cachemodel.Build, r *record.Record) *Layers {
	out := &Layers{}
	for _, line := range cachemodel.NewPlan(build).ImageLines() {
		if bytes := build.Costs[line].Bytes; bytes != nil {
			out.Bytes += *bytes
			out.Layers = append(out.Layers, Layer{Line: line, Bytes: *bytes})
		}
	}
	b.place(out, name, now, build, r)
	return out
}

// place says of the layers of a build, whose lines are known, which instructions these are, and what becomes of them in
// the next build.
func (b *Build) place(
	out *Layers, name string, now *dockerfile.File, build cachemodel.Build, made *record.Record,
) {
	out.File, out.Text = name, build.File.Text.String()
	next := b.Judge(now, nil)
	same := out.Text == now.Text.String()
	steps := next.Steps
	if !same {
		steps = cachemodel.Compare(nil, cachemodel.NewPlan(build))
		at := whyBuild(made)
		out.Build = &at
	}
	build.Costs = map[int]cachemodel.Cost{}
	for i := range out.Layers {
		l := &out.Layers[i]
		at := slices.IndexFunc(steps, func(s cachemodel.Step) bool { return s.Line == l.Line })
		if at < 0 {
			continue
		}
		s := steps[at]
		l.EndLine, l.Stage, l.Instruction, l.Text = s.EndLine, s.Stage, s.Instruction, s.Text
		if same {
			l.Status = s.Status
		}
		sum := l.Bytes
		if before := build.Costs[l.Line].Bytes; before != nil { // of several triggers
			sum += *before
		}
		build.Costs[l.Line] = cachemodel.Cost{Bytes: &sum}
	}
	costs, again := cachemodel.CarryCosts(build, b.Next(now, nil)), int64(0)
	for _, s := range next.Steps {
		if bytes := costs[s.Line].Bytes; bytes != nil && s.Status == cachemodel.Rebuilt {
			again += *bytes
		}
	}
	out.Again = &again
}

// Sizes sums up the layers by instruction, and those that were there before the Dockerfile.
func (l *Layers) Sizes() (out []Layer) {
	for _, layer := range l.Layers {
		if n := len(out); n > 0 && out[n-1].Line == layer.Line && l.File != "" {
			last := &out[n-1]
			last.Bytes += layer.Bytes
			if layer.Bytes > 0 {
				last.SharedWith = layer.SharedWith
			}
			continue
		}
		out = append(out, layer)
	}
	return out
}

// Named is what people call the image.
func (l *Layers) Named() string { return cmp.Or(l.Image, "the last build") }
