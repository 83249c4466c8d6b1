package cachemodel

import (
	"fmt"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// manyInstructions writes a Dockerfile of about n instructions in stages of 50, as they are found in the wild.
func manyInstructions(n int) (text string, files map[string]testFile) {
	files = map[string]testFile{}
	var b strings.Builder
	for i := range n {
		switch stage := i / 50; i % 10 {
		case 0:
			if i%50 == 0 {
				fmt.Fprintf(&b, "FROM base:%d AS s%d\n", stage%3, stage)
			} else {
				fmt.Fprintf(&b, "LABEL org.example.part=%d\n", i)
			}
		case 1:
			fmt.Fprintf(&b, "ARG VERSION_%d=1.%d\n", i, i)
		case 2, 3:
			fmt.Fprintf(&b, "ENV KEY_%d=value APP_%d=/app/$KEY_%d\n", i, i, i)
		case 4:
			fmt.Fprintf(&b, "WORKDIR /app/%d\n", i)
		case 5:
			name := fmt.Sprintf("src/file%d.go", i)
			files[name] = testFile{data: name, mode: 0o644}
			fmt.Fprintf(&b, "COPY %s ./\n", name)
		case 6:
			if stage > 0 {
				fmt.Fprintf(&b, "COPY --from=s%d /out /in/%d\n", stage-1, i)
			} else {
				fmt.Fprintf(&b, "COPY . /all/%d\n", i)
			}
		case 7:
			fmt.Fprintf(&b, "RUN --mount=type=cache,target=/root/.cache make $KEY_%d && \\\n    make install\n", i)
		default:
			fmt.Fprintf(&b, "RUN echo %d && apt-get update && apt-get install -y curl ca-certificates\n", i)
		}
	}
	return b.String(), files
}

// A keystroke: the file is planned anew and compared with the baseline's plan, with an edit in the first stage and
// without. The files of the context are digested already.
func BenchmarkCompare(b *testing.B) {
	for _, n := range []int{50, 500, 1000, 5000} {
		text, files := manyInstructions(n)
		context := tree(files)
		parse := func(text string) *dockerfile.File { return dockerfile.Parse(source.New(text), nil) }
		base := NewPlan(Build{File: parse(text), Context: context})
		for name, next := range map[string]*dockerfile.File{
			"same":   parse(text),
			"edited": parse(strings.Replace(text, "echo 8", "echo 9", 1)),
			"env":    parse(strings.Replace(text, "KEY_2=value", "KEY_2=other", 1)),
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for range b.N {
					Compare(Pasts(base), NewPlan(Build{File: next, Context: context}))
				}
			})
		}
	}
}
