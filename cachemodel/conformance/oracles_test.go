package conformance

import (
	"context"
	"testing"
)

// The in-process oracle must bracket the daemon: what the daemon executes is at least what is executed if every step's
// output stays the same, and at most what is executed if none does.
func TestOraclesAgree(t *testing.T) {
	ctx := context.Background()
	real := startReal(t)
	g := NewGenerator(*seedFlag, Limits{Real: true})
	failed, lines := 0, 0
	for n := range *realFlag {
		sketches, names := g.Case()
		same, different := NewInProcess(Same, 1), NewInProcess(Different, 1)
		if err := real.Prune(ctx); err != nil {
			t.Fatal(err)
		}
		for i, s := range sketches {
			b := s.Build()
			got, err := real.Build(ctx, b)
			least, err1 := same.Build(ctx, b)
			most, err2 := different.Build(ctx, b)
			if err != nil {
				if err1 == nil {
					t.Logf("case %d: only the daemon fails: %v", n, err)
				}
				t.Logf("case %d build %d: %v", n, i, err)
				failed++
				break
			}
			if err1 != nil || err2 != nil {
				t.Errorf("case %d: only in-process: %v %v\n%s", n, err1, err2, b.Dockerfile)
				break
			}
			for l := range most {
				lines++
				if least[l].Vertices != got[l].Vertices || got[l].Executed < least[l].Executed || got[l].Executed > most[l].Executed {
					t.Errorf("case %d build %d line %d: daemon %+v, want between %+v and %+v\nedits %v\nfrom\n%s\nto\n%s", n, i, l, got[l], least[l], most[l], names[i], sketches[max(i-1, 0)].Build().Dockerfile, b.Dockerfile)
				}
			}
		}
		same.Close()
		different.Close()
	}
	t.Logf("%d cases, %d not buildable, %d lines compared", *realFlag, failed, lines)
}
