package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/cachemodel"
)

// The model behind an edit in the middle of one long stage: plan and compare, the file parsed and the context read
// already. The cost per instruction must not grow with their number.
func BenchmarkModel(b *testing.B) {
	for _, n := range []int{50, 500, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			build := func(middle string) cachemodel.Build {
				x := long(n, middle)
				return cachemodel.Build{File: dockerfile.Parse(source.New(x.Dockerfile), nil), Context: x.tree()}
			}
			base, next := cachemodel.NewPlan(build("")), build("changed")
			cachemodel.Compare(cachemodel.Pasts(base), cachemodel.NewPlan(next))
			b.ReportAllocs()
			for b.Loop() {
				cachemodel.Compare(cachemodel.Pasts(base), cachemodel.NewPlan(next))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/instruction")
		})
	}
}

// The whole way from text: both builds parsed, planned and compared.
func BenchmarkModelAndParse(b *testing.B) {
	for _, n := range []int{50, 500, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			base, next := long(n, ""), long(n, "changed")
			b.ReportAllocs()
			for b.Loop() {
				m := &Model{}
				for _, build := range []Build{base, next} {
					if _, err := m.Predict(context.Background(), build); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/instruction")
		})
	}
}

func long(n int, middle string) Build {
	var s strings.Builder
	s.WriteString("FROM base AS one\n")
	for i := 1; i < n; i++ {
		switch i % 5 {
		case 0:
			fmt.Fprintf(&s, "RUN echo %d\n", i)
		case 1:
			fmt.Fprintf(&s, "ENV V%d=%d\n", i%50, i)
		case 2:
			fmt.Fprintf(&s, "COPY a.txt /d%d/\n", i)
		case 3:
			fmt.Fprintf(&s, "WORKDIR /w%d\n", i)
		default:
			fmt.Fprintf(&s, "LABEL l%d=x\n", i)
		}
		if i == n/2 {
			fmt.Fprintf(&s, "RUN echo %s\n", middle)
		}
	}
	return Build{Name: "Dockerfile", Dockerfile: s.String(), Files: map[string]File{"a.txt": {Mode: 0o644, Data: "a"}}}
}
