package record

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/cachemodel"
)

func resum(data []byte) []byte {
	body := data[:len(data)-sha256.Size]
	sum := sha256.Sum256(body)
	return append(body, sum[:]...)
}

// No byte of the store holds a secret, wherever in the record it stands; what equals it is found to be equal.
func TestSecrets(t *testing.T) {
	const token = "hunter2hunter2"
	s := NewStore(t.TempDir())
	args := map[string]string{
		"API_TOKEN": token, "URL": "https://host/" + token + "/x", "INDEX": "https://me:s3cretpw@host/", "V": "1.2",
		"EMPTY_TOKEN": "",
	}
	r := sample(t)
	r.Settings.Args = args
	r.Tags, r.Tool, r.Builder.Name, r.Name, r.Settings.Target = []string{
		"reg/app:" + token,
	}, "docker build "+token, token, "x"+token, token
	r.Images = map[string]cachemodel.Image{"reg/" + token + ":1": {Digest: "sha256:1"}}
	r.Notes = []string{"A note on " + token + "."}
	id, err := s.Put(r)
	if err != nil {
		t.Fatal(err)
	}
	if r.Settings.Args["API_TOKEN"] != token || r.Secrets != nil {
		t.Error("the caller's record was changed")
	}
	files, _ := filepath.Glob(filepath.Join(s.dir, "*"))
	if len(files) != 2 {
		t.Errorf("files %v", files)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range []string{token, "s3cretpw"} {
			if strings.Contains(string(data), value) || strings.Contains(file, value) {
				t.Errorf("%s holds %s", file, value)
			}
		}
		if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", file, info.Mode())
		}
	}
	got, err := s.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	same := s.Settings(got, args).Args
	for name, value := range args {
		if same[name] != value {
			t.Errorf("%s is %q for the build with the same value", name, same[name])
		}
	}
	other := s.Settings(got, map[string]string{"API_TOKEN": "another", "V": "2"}).Args
	if other["API_TOKEN"] == "another" || other["V"] != "1.2" || !strings.HasPrefix(other["URL"], "(secret ") {
		t.Errorf("for another value: %q", other)
	}
	own := s.Settings(got, nil).Args
	if again := s.Settings(got, own).Args; again["API_TOKEN"] != own["API_TOKEN"] || own["API_TOKEN"] == own["URL"] {
		t.Errorf("stand-ins: %q, %q", own, again)
	}
}

// Where the key is lost or damaged, secrets count as changed; nothing fails.
func TestLostKey(t *testing.T) {
	s := NewStore(t.TempDir())
	args := map[string]string{"TOKEN": "value"}
	r := &Record{Dockerfile: "/w/Dockerfile", Settings: cachemodel.Settings{Args: args}}
	id, err := s.Put(r)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := s.Get(id)
	if err := os.WriteFile(filepath.Join(s.dir, keyFile), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if v := s.Settings(got, args).Args["TOKEN"]; v == "value" {
		t.Error("a hash cannot be checked without its key")
	}
	id, err = s.Put(r)
	if err != nil {
		t.Fatal(err)
	}
	got, _ = s.Get(id)
	if v := s.Settings(got, args).Args["TOKEN"]; v != "value" {
		t.Errorf("with the new key it is %q", v)
	}
}
