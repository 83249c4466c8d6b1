package record

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/secret"
	"github.com/layerwise/layerwise/cachemodel"
)

// keyFile holds the key of the secrets' hashes. It never leaves the machine, so that nobody who gets hold of a record
// can try values.
const (
	keyFile = "key"
	keySize = 32
)

// key returns the store's key, making it if there is none yet.
func (s *Store) key() ([]byte, error) {
	path := filepath.Join(s.dir, keyFile)
	key, err := os.ReadFile(path)
	if err == nil && len(key) == keySize {
		return key, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	broken := err == nil
	key = make([]byte, keySize)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	tmp, err := s.writeTemp(key)
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp) // of no effect after the rename
	if !broken {
		// Two processes may come here at once: only one of the links succeeds.
		switch err := os.Link(tmp, path); {
		case err == nil:
			return key, nil
		case errors.Is(err, fs.ErrExist):
			return s.key()
		}
	}
	// No links on this file system, or a key that is not whole: secrets that were hashed with another one count as
	// changed.
	return key, os.Rename(tmp, path)
}

// hash is what is kept of a secret.
func hash(key []byte, name, value string) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%d:%s=%s", len(name), name, value)
	return hex.EncodeToString(mac.Sum(nil))
}

// hideSecrets replaces what looks like a secret in a record that is about to be stored.
func (s *Store) hideSecrets(r *Record) error {
	values := cachemodel.Secrets(r.Settings.Args)
	if len(values) == 0 {
		return nil
	}
	key, err := s.key()
	if err != nil {
		return err
	}
	if r.Secrets == nil {
		r.Secrets = map[string]string{}
	}
	for name := range values {
		r.Secrets[name] = hash(key, name, r.Settings.Args[name])
		delete(r.Settings.Args, name)
	}
	hide := func(text string) string { return cachemodel.HideSecrets(text, values) }
	r.Tool, r.Name, r.Settings.Target = hide(r.Tool), hide(r.Name), hide(r.Settings.Target)
	r.Builder.Name, r.Builder.Address = hide(r.Builder.Name), hide(r.Builder.Address)
	r.Tags = mapped(r.Tags, hide)
	r.Notes = mapped(r.Notes, hide)
	contexts := map[string]string{}
	for name, ref := range r.ContextImages {
		contexts[name] = hide(ref)
	}
	r.ContextImages = contexts
	images := map[string]cachemodel.Image{}
	for ref, image := range r.Images {
		images[hide(ref)] = image
	}
	r.Images = images
	return nil
}

func mapped(list []string, f func(string) string) []string {
	var out []string
	for _, s := range list {
		out = append(out, f(s))
	}
	return out
}

// Settings are the settings of a record's build, for comparing it with a build that has the arguments next: a secret
// argument has next's value if it is the same, else a stand-in that equals no value but itself. With next nil all
// secrets have their stand-ins, so that a build which is to have the record's own settings can be compared with it.
func (s *Store) Settings(r *Record, next map[string]string) cachemodel.Settings {
	out := r.Settings
	if len(r.Secrets) == 0 {
		return out
	}
	out.Args = maps.Clone(r.Settings.Args)
	if out.Args == nil {
		out.Args = map[string]string{}
	}
	key, _ := os.ReadFile(filepath.Join(s.dir, keyFile)) // without it no secret is the same
	for name, sum := range r.Secrets {
		out.Args[name] = "(secret " + sum[:min(16, len(sum))] + ")"
		if value, ok := next[name]; ok && len(key) == keySize &&
			hmac.Equal([]byte(hash(key, name, value)), []byte(sum)) {
			out.Args[name] = value
		}
	}
	return out
}

// withoutSecrets leaves the configuration out of images that set what looks like a secret.
func withoutSecrets(images map[string]cachemodel.Image) map[string]cachemodel.Image {
	out := map[string]cachemodel.Image{}
	for ref, image := range images {
		if slices.ContainsFunc(image.Env, func(variable string) bool {
			name, value, _ := strings.Cut(variable, "=")
			return secret.Is(name, value)
		}) {
			image = cachemodel.Image{Digest: image.Digest, DigestOnly: true}
		}
		out[ref] = image
	}
	return out
}
