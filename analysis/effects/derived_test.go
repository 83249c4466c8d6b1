package effects

import (
	"slices"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// What a COPY takes from a stage hangs on some files only where a generator made it, and nothing came after it.
func TestDerived(t *testing.T) {
	for _, c := range []struct {
		name, run, copied string
		want              string // one of the files, "" where it is not known
	}{
		{"the manifests that turbo prunes", "npx turbo prune web --docker", "/app/out/json/", "**/package.json"},
		{"the lock file that it prunes", "turbo prune web --docker", "/app/out/pnpm-lock.yaml", "pnpm-lock.yaml"},
		{"by a version that is named", "yarn dlx turbo@2 prune web --docker", "/app/out/json", "**/package.json"},
		{"the sources that it prunes", "turbo prune web --docker", "/app/out/full/", ""},
		{"all that it makes", "turbo prune web --docker", "/app/out", ""},
		{"a recipe of cargo-chef", "cargo chef prepare --recipe-path recipe.json", "/app/recipe.json", "Cargo.lock"},
		{"something else of that stage", "cargo chef prepare --recipe-path recipe.json", "/app/src", ""},
		{"a command behind it", "turbo prune web --docker && date > out/json/at", "/app/out/json", ""},
		{"a step behind it", "turbo prune web --docker\nRUN date > out/json/at", "/app/out/json", ""},
		{"another command", "echo turbo-prune", "/app/out/json", ""},
	} {
		text := "FROM a AS b\nWORKDIR /app\nCOPY . .\nRUN " + c.run + "\nFROM a\nCOPY --from=b " + c.copied + " ./\n"
		file := dockerfile.Parse(source.New(text), nil)
		got, ok := Derived(file, file.Instructions[len(file.Instructions)-1])
		if ok != (c.want != "") || ok && !slices.Contains(got, c.want) {
			t.Errorf("%s: got %v, %v, want %q", c.name, got, ok, c.want)
		}
	}
}
