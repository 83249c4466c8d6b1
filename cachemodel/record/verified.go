package record

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// Verified is a reordering of which both files were built, and the images were the same.
type Verified struct {
	Before    string    `json:"before"`    // digest of the file's text as it was
	After     string    `json:"after"`     // and reordered
	Manifests string    `json:"manifests"` // digest of what package managers read of the context
	Builder   string    `json:"builder"`   // that built both
	Time      time.Time `json:"time"`
	Files     int       `json:"files"` // that were compared
}

// TextDigest is the digest of a Dockerfile's text that Verified goes by.
func TextDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (s *Store) verifiedPath(before, after, manifests string) string {
	return filepath.Join(
		filepath.Dir(s.dir),
		"verified",
		TextDigest(before + " " + after + " " + manifests)[:32]+".json",
	)
}

// SaveVerified remembers a reordering that was verified. Without a folder nothing is kept.
func (s *Store) SaveVerified(v Verified) error {
	if s.dir == "" {
		return nil
	}
	path := s.verifiedPath(v.Before, v.After, v.Manifests)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Verified gives what is remembered of a reordering, by the digests of both texts and of the manifests; nil if nothing
// is.
func (s *Store) Verified(before, after, manifests string) (*Verified, error) {
	if s.dir == "" {
		return nil, nil
	}
	data, err := textfile.Read(s.verifiedPath(before, after, manifests))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var v Verified
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil || v.Before != before || v.After != after || v.Manifests != manifests {
		return nil, err
	}
	return &v, nil
}
