// Package registry asks registries for the tags of images and what is behind one, and remembers that.
//
// It is the one place of the product that uses the network, and only on behalf of a user who asked for that.
// Credentials are those of the Docker configuration. It must not know any protocol of editors.
package registry

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const (
	fresh    = 6 * time.Hour    // so long tags are not asked for again
	failed   = time.Minute      // so long a registry that did not answer is let alone
	patience = 10 * time.Second // with one repository
)

// Tags knows the tags of images. It may be used by several goroutines.
type Tags struct {
	dir string

	mu    sync.Mutex
	known map[string]*list // by repository
}

// list is what is known of one repository.
type list struct {
	Repository string    `json:"repository"`
	Fetched    time.Time `json:"fetched"`
	Tags       []string  `json:"tags"`

	asking bool
	failed time.Time
}

// New returns what keeps tags below a directory; with "" they are forgotten with the process.
func New(dir string) *Tags { return &Tags{dir: dir, known: map[string]*list{}} }

// Known returns the tags of an image that are known now, the newest first. It reports whether they are to be asked for:
// if so, the caller is to call Ask, and no one else is told so until that is done.
func (t *Tags) Known(image string) (tags []string, ask bool) {
	repository, err := name.NewRepository(image)
	if err != nil {
		return nil, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.ofLocked(repository.Name())
	ask = !l.asking && time.Since(l.Fetched) > fresh && time.Since(l.failed) > failed
	l.asking = l.asking || ask
	return l.Tags, ask
}

// Pending reports whether an image's tags are being asked for.
func (t *Tags) Pending(image string) bool {
	repository, err := name.NewRepository(image)
	if err != nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ofLocked(repository.Name()).asking
}

func (t *Tags) ofLocked(repository string) *list {
	l := t.known[repository]
	if l == nil {
		l = &list{Repository: repository}
		if content, err := os.ReadFile(t.file(repository)); err == nil && t.dir != "" {
			var kept list
			if json.Unmarshal(content, &kept) == nil && kept.Repository == repository {
				l.Fetched, l.Tags = kept.Fetched, kept.Tags
			}
		}
		t.known[repository] = l
	}
	return l
}

// Ask asks the image's registry for its tags, and remembers them. It takes ten seconds at most, and ends with the
// context. The error names the registry.
func (t *Tags) Ask(ctx context.Context, image string) error {
	repository, err := name.NewRepository(image)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tags, err := remote.List(
		repository,
		remote.WithContext(limited),
		remote.WithAuthFromKeychain(authn.DefaultKeychain),
	)
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.ofLocked(repository.Name())
	l.asking = false
	if err != nil {
		l.failed = time.Now()
		return fmt.Errorf("the tags of %s are not known: %w", repository.Name(), err)
	}
	slices.SortFunc(tags, Newer)
	l.Tags, l.Fetched = tags, time.Now()
	return t.keep(l)
}

func (t *Tags) file(repository string) string {
	sum := sha256.Sum256([]byte(repository))
	return filepath.Join(t.dir, hex.EncodeToString(sum[:12])+".json")
}

// keep writes a list into a file of its own, whole or not at all.
func (t *Tags) keep(l *list) error {
	if t.dir == "" {
		return nil
	}
	content, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(t.dir, "*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = cmp.Or(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), t.file(l.Repository))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// Newer orders tags: latest, then versions from the newest on, one without a suffix before those with one and a shorter
// one, which moves with the newest, before a longer one; then words.
func Newer(a, b string) int {
	if (a == "latest") != (b == "latest") {
		return order(a == "latest")
	}
	va, ra := version(a)
	vb, rb := version(b)
	if (va == nil) != (vb == nil) {
		return order(va != nil)
	}
	for i := 0; i < min(len(va), len(vb)); i++ {
		if c := cmp.Compare(vb[i], va[i]); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(va), len(vb)), strings.Compare(ra, rb), strings.Compare(a, b))
}

func order(first bool) int {
	if first {
		return -1
	}
	return 1
}

// version parts a tag such as "v3.20.1-slim" into its numbers and the rest; nil if it does not begin with a number.
func version(tag string) (numbers []int, rest string) {
	rest = strings.TrimPrefix(tag, "v")
	for {
		n := 0
		for n < len(rest) && '0' <= rest[n] && rest[n] <= '9' {
			n++
		}
		number, err := strconv.Atoi(rest[:n])
		if err != nil {
			return numbers, rest
		}
		numbers = append(numbers, number)
		if rest = rest[n:]; !strings.HasPrefix(rest, ".") {
			return numbers, rest
		}
		rest = rest[1:]
	}
}
