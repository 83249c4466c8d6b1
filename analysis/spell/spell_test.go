package spell_test

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/spell"
)

var instructions = []string{
	"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
	"MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}

var flags = map[string][]string{
	"ADD":         {"chown", "chmod", "link", "checksum", "exclude", "keep-git-dir", "unpack"},
	"COPY":        {"from", "chown", "chmod", "link", "parents", "exclude"},
	"FROM":        {"platform"},
	"HEALTHCHECK": {"interval", "timeout", "start-period", "start-interval", "retries"},
	"RUN":         {"mount", "network", "security", "device"},
}

func TestSuggest(t *testing.T) {
	for _, test := range []struct {
		prose, word, first, meant string
	}{
		{"a transposition is one edit", "EVN", "ENV", "ENV"},
		{"case does not matter", "evn", "ENV", "ENV"},
		{"a missing letter", "ENTRPOINT", "ENTRYPOINT", "ENTRYPOINT"},
		{"a plural", "VOLUMES", "VOLUME", "VOLUME"},
		{"another form of the word", "EXPOSED", "EXPOSE", "EXPOSE"},
		{"a neighbouring key", "RUM", "RUN", "RUN"},
		{"a half typed word that begins one candidate only", "ENTR", "ENTRYPOINT", "ENTRYPOINT"},
		{"half typed and already long", "HEALTHCH", "HEALTHCHECK", "HEALTHCHECK"},
		{"a half typed word that begins several", "E", "", ""},
		{"two letters are suggested for, but mean nothing yet", "AD", "ADD", ""},
		{"one letter means nothing, though only one instruction begins with it", "R", "RUN", ""},
		{"as far from one candidate as from another", "ADG", "ARG", ""},
		{"a command whose line was cut off from its RUN, two edits away", "export", "EXPOSE", ""},
		{"such a command with another first letter", "bun", "RUN", ""},
		{"such a command of two letters", "cd", "CMD", ""},
		{"two edits in a long word", "ENTRPONT", "ENTRYPOINT", "ENTRYPOINT"},
		{"two edits in a word of middle length", "WOKRDRI", "WORKDIR", ""},
		{"a right word is left alone", "ENV", "", ""},
		{"a right word in lower case is left alone", "copy", "", ""},
		{"a word that means nothing", "APT-GET", "", ""},
		{"an obsolete instruction", "DOCKER-VERSION", "", ""},
		{"another short word", "ECHO", "", ""},
		{"nothing typed", "", "", ""},
		{"bytes that are no letters", "\xff\x00", "", ""},
	} {
		got := spell.Suggest(test.word, instructions)
		if first := strings.Join(got[:min(1, len(got))], ""); first != test.first {
			t.Errorf("%s: %q suggests %q, want %q", test.prose, test.word, got, test.first)
		}
		if got := spell.Meant(test.word, instructions); got != test.meant {
			t.Errorf("%s: %q means %q, want %q", test.prose, test.word, got, test.meant)
		}
	}
}

// TestOneEdit misspells every instruction and flag in every way that takes one edit and wants the right word first.
func TestOneEdit(t *testing.T) {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	right, all, meant, wrong := 0, 0, 0, 0
	var misses []string
	check := func(words []string, alphabet string) {
		for _, word := range words {
			for typed := range misspellings(word, alphabet) {
				if slices.Contains(words, typed) {
					continue // another right word
				}
				all++
				if got := spell.Suggest(typed, words); len(got) > 0 && got[0] == word {
					right++
				} else {
					misses = append(misses, typed+" for "+word)
				}
				switch spell.Meant(typed, words) {
				case word:
					meant++
				case "":
				default:
					wrong++
				}
			}
		}
	}
	check(instructions, strings.ToUpper(letters))
	for _, words := range flags {
		check(words, letters+"-_")
	}
	rate := float64(right) / float64(all)
	t.Logf(
		"%d of %d right (%.2f%%); %d taken for granted, %d of them wrongly; misses: %v",
		right,
		all,
		100*rate,
		meant+wrong,
		wrong,
		misses,
	)
	if rate < 0.99 {
		t.Errorf("%.2f%% of one-edit misspellings are right, want 99%%", 100*rate)
	}
	if wrong > all/1000 {
		t.Errorf("%d of %d misspellings are taken for another word", wrong, all)
	}
}

func misspellings(word, alphabet string) map[string]bool {
	found := map[string]bool{}
	for i := range len(word) + 1 {
		if i < len(word) {
			found[word[:i]+word[i+1:]] = true
		}
		if i+1 < len(word) {
			found[word[:i]+word[i+1:i+2]+word[i:i+1]+word[i+2:]] = true
		}
		for _, c := range alphabet {
			found[word[:i]+string(c)+word[i:]] = true
			if i < len(word) {
				found[word[:i]+string(c)+word[i+1:]] = true
			}
		}
	}
	delete(found, word)
	return found
}

// TestTypos reads misspellings that people have published.
func TestTypos(t *testing.T) {
	file, err := os.Open(corpus.Path(t, "typos.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	checked := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		typed, rest, _ := strings.Cut(lines.Text(), "\t")
		meant, _, _ := strings.Cut(rest, "\t")
		if !slices.Contains(instructions, meant) {
			continue // a flag, or glued to its arguments: the document model's tests have those
		}
		checked++
		if got := spell.Meant(typed, instructions); got != meant {
			t.Errorf("%s means %q, want %s", typed, got, meant)
		}
	}
	t.Logf("%d misspellings", checked)
}

func FuzzSuggest(f *testing.F) {
	f.Add("EVN", "ENV")
	f.Add("", "")
	f.Add("\xff", "é")
	f.Fuzz(func(t *testing.T, word, candidate string) {
		candidates := append([]string{candidate}, instructions...)
		got := spell.Suggest(word, candidates)
		if upper := strings.ToUpper(word); got != nil &&
			slices.ContainsFunc(candidates, func(c string) bool { return strings.ToUpper(c) == upper }) {
			t.Errorf("%q is right, yet %q is suggested", word, got)
		}
		if !slices.Equal(got, spell.Suggest(word, candidates)) {
			t.Errorf("%q has changing suggestions", word)
		}
		if meant := spell.Meant(word, candidates); meant != "" && got[0] != meant {
			t.Errorf("%q means %q, but %q is suggested", word, meant, got)
		}
	})
}
