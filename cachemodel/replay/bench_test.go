package replay

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/layerwise/layerwise/cachemodel"
)

// BenchmarkReplay replays 100 commits of a repository with 5,000 files: from git objects to the costs of what happened
// and of the file as it is now.
func BenchmarkReplay(b *testing.B) {
	dir, git := repo(b)
	write(b, dir, "Dockerfile", `FROM node:20 AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build
FROM nginx
COPY --from=build /app/dist /usr/share/nginx/html
COPY pkg003 /etc/pkg
`)
	write(b, dir, ".dockerignore", ".git\n**/*.md\n")
	write(b, dir, "package.json", "0")
	write(b, dir, "package-lock.json", "0")
	for i := range 5000 {
		write(b, dir, fmt.Sprintf("pkg%03d/dir%03d/file%d.js", i/500, i/20, i), fmt.Sprint(i))
	}
	git("add", "-A")
	git("commit", "-qm", "first")
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 100 {
		for range 5 {
			i := r.IntN(5000)
			write(b, dir, fmt.Sprintf("pkg%03d/dir%03d/file%d.js", i/500, i/20, i), fmt.Sprint("commit ", n))
		}
		if n%8 == 0 {
			write(b, dir, "package.json", fmt.Sprint(n))
		}
		git("commit", "-qam", fmt.Sprint("commit ", n))
	}
	request := Request{Dockerfile: filepath.Join(dir, "Dockerfile"), Commits: 100}
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			if _, err := Load(b.Context(), request, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			h, err := Load(b.Context(), request, nil)
			if err != nil || h.Builds() != 100 {
				b.Fatal(h, err)
			}
			if _, err := Actual(b.Context(), h, cachemodel.Settings{}, Costs{}); err != nil {
				b.Fatal(err)
			}
			file := h.Commits[100].File
			if _, err := Fixed(b.Context(), h.Buildable(file, cachemodel.Settings{}), file, cachemodel.Settings{},
				Costs{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
