package baseline

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/record"
)

// A tag that stood for another image in a newer build of the builder may do so in the next one.
func TestMovedImages(t *testing.T) {
	const (
		text  = "FROM a\nRUN b\n"
		other = "FROM a\nRUN other\n"
		ref   = "docker.io/library/a:latest"
	)
	type made struct{ text, digest string }
	tests := []struct {
		about  string
		builds []made // the newest first
		want   string // of RUN b
		here   string // the digest of what the builder has now
	}{
		{"one build", []made{{text, "1"}}, "cached", ""},
		{"the same image twice", []made{{other, "1"}, {text, "1"}}, "cached", ""},
		{"another Dockerfile found another image since", []made{{other, "2"}, {text, "1"}}, "maybe", ""},
		{"it was built upon both", []made{{other, "2"}, {text, "2"}, {text, "1"}}, "cached", ""},
		{"the newest build does not tell", []made{{other, ""}, {other, "2"}, {text, "1"}}, "maybe", ""},
		{"nobody tells upon which it was built", []made{{other, "2"}, {text, ""}, {other, "1"}}, "maybe", ""},
		{"but it was after the tag moved", []made{{text, ""}, {other, "2"}, {other, "1"}}, "cached", ""},
		{"nothing says that the tag moved", []made{{other, "2"}, {text, ""}}, "cached", ""},
		{"it moved and went back", []made{{other, "1"}, {other, "2"}, {text, "1"}}, "cached", ""},
		{"nobody tells upon which, and it went back since", []made{{other, "1"}, {text, ""}, {other, "2"}, {other, "1"}},
			"maybe", ""},
		{"the builder has another image now", []made{{text, "1"}}, "maybe", "2"},
		{"the builder still has it", []made{{text, "1"}}, "cached", "1"},
		{"the builder has one that it was built on before", []made{{text, "2"}, {text, "1"}}, "cached", "1"},
		{"the builder has another one than any build", []made{{text, "2"}, {text, "1"}}, "maybe", "3"},
		{"nobody tells upon which it was built, and it moved", []made{{text, ""}, {other, "1"}}, "maybe", "2"},
	}
	for _, test := range tests {
		t.Run(test.about, func(t *testing.T) {
			b := Baseline{}
			if test.here != "" {
				b.Here = map[string]cachemodel.Image{ref: {Digest: test.here}}
			}
			for i, m := range test.builds {
				r := &record.Record{
					When: time.Unix(int64(1000-i), 0), Text: m.text,
					Images: map[string]cachemodel.Image{ref: {Digest: m.digest, DigestOnly: true}},
				}
				b.Builds = append(b.Builds, &Contents{File: parse([]byte(m.text)), Record: r})
			}
			next := cachemodel.Build{File: parse([]byte(text))}
			pasts := b.Pasts(next, record.NewStore(t.TempDir()), nil)
			steps := cachemodel.Compare(pasts, cachemodel.NewPlan(next))
			s := steps[1]
			got := string(s.Status)
			if s.Status == cachemodel.Rebuilt && !s.Certain {
				got = "maybe"
			}
			if got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			said := fmt.Sprint(s.Detail, s.Cause)
			if test.want == "maybe" && !strings.Contains(said, "a:latest") {
				t.Errorf("the reason does not name the image: %s", said)
			}
		})
	}
}
