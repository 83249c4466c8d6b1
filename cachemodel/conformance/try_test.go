package conformance

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

func TestTry(t *testing.T) {
	ctx := context.Background()
	files, _ := filepath.Glob(os.Getenv("TRY"))
	if len(files) == 0 {
		t.Skip()
	}
	real := startReal(t)
	for _, f := range files {
		data, _ := os.ReadFile(f)
		c, err := ParseCase(f, data)
		if err != nil {
			t.Fatal(err)
		}
		same, different := NewInProcess(Same, 1), NewInProcess(Different, 1)
		real.Prune(ctx)
		for i, b := range c.Builds {
			got, err := real.Build(ctx, b)
			least, err1 := same.Build(ctx, b)
			most, err2 := different.Build(ctx, b)
			t.Log(f, i, "\nreal", got, err, "\nleast", least, err1, "\nmost", most, err2)
		}
	}
}
