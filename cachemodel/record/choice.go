package record

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// choices is the folder, beside the records, of what was chosen for each Dockerfile, in an editor or by --remember.
const choices = "choices"

func (s *Store) choiceFile(dockerfile string) string {
	return filepath.Join(filepath.Dir(s.dir), choices, pathHash(canonical(dockerfile))+".json")
}

// HoldsChoice reports whether path is the file of what was chosen for a Dockerfile.
func (s *Store) HoldsChoice(path, dockerfile string) bool {
	return s.dir != "" && filepath.Base(filepath.Dir(path)) == choices && path == s.choiceFile(dockerfile)
}

// Choice returns what was chosen last of a kind ("baseline", say) for a Dockerfile, "" if nothing was.
func (s *Store) Choice(dockerfile, kind string) string {
	if s.dir == "" || dockerfile == "" {
		return ""
	}
	return s.choicesOf(dockerfile)[kind]
}

func (s *Store) choicesOf(dockerfile string) map[string]string {
	all := map[string]string{}
	text, err := os.ReadFile(s.choiceFile(dockerfile))
	if err == nil {
		_ = json.Unmarshal(text, &all) // what cannot be read was not chosen
	}
	return all
}

// Choose remembers a choice for a Dockerfile; "" forgets it.
func (s *Store) Choose(dockerfile, kind, value string) error {
	if s.dir == "" {
		return ErrNoStore
	}
	all := s.choicesOf(dockerfile)
	delete(all, kind)
	if value != "" {
		all[kind] = value
	}
	text, err := json.Marshal(all)
	if err == nil {
		err = s.replaceFile(s.choiceFile(dockerfile), text)
	}
	if err != nil {
		return fmt.Errorf("the choice is not remembered: %w", err)
	}
	return nil
}

// replaceFile writes a file anew, whole or not at all.
func (s *Store) replaceFile(path string, text []byte) error {
	for _, dir := range []string{s.dir, filepath.Dir(path)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	tmp, err := s.writeTemp(text)
	if err != nil {
		return err
	}
	defer os.Remove(tmp) // of no effect after the rename
	return os.Rename(tmp, path)
}
