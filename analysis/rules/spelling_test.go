package rules

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// arguments that are right for each instruction.
var rightArguments = map[string]string{
	"ADD": "a b", "ARG": "A=1", "CMD": `["a"]`, "COPY": "a b", "ENTRYPOINT": `["a"]`, "ENV": "A=1", "EXPOSE": "80", "FROM": "debian",
	"HEALTHCHECK": "CMD true", "LABEL": "a=b", "MAINTAINER": "Jo", "ONBUILD": "RUN true", "RUN": "true", "SHELL": `["/bin/sh", "-c"]`,
	"STOPSIGNAL": "SIGTERM", "USER": "me", "VOLUME": "/data", "WORKDIR": "/app",
}

// firstFix returns the text with the first fix of the first error or warning in the given line, counted from 0.
func firstFix(t *testing.T, text string, line int) string {
	t.Helper()
	var best *analysis.Finding
	for _, f := range checkText(text) {
		if strings.Count(text[:f.Span.Start], "\n") == line && f.Severity <= analysis.Warning && (best == nil || f.Severity < best.Severity) {
			best = &f
		}
	}
	if best == nil || len(best.Fixes) == 0 {
		return ""
	}
	return applied(t, text, best.Fixes[0].Edits)
}

// Every mistyping that was seen in public files is found, and the meant word is the first fix.
func TestMistypingsSeenInTheWild(t *testing.T) {
	path := sharedFile(t, "typos.tsv")
	file, err := os.Open(path)
	if err != nil {
		t.Skip("MISSING: " + filepath.Join("..", "shared", "corpus", "typos.tsv") + "; nothing was checked")
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	tried := 0
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) < 2 || fields[0] == "typed" || fields[1] == "(obsolete)" {
			continue
		}
		typed, want := mistyping(fields[0], fields[1])
		tried++
		head := "FROM alpine AS build\nFROM alpine\n"
		if got, want := firstFix(t, head+typed+"\n", 2), head+want+"\n"; got != want {
			t.Errorf("%s: the first fix gives %q instead of %q", fields[0], got, want)
		}
	}
	t.Logf("%d mistypings", tried)
}

// mistyping makes a whole instruction of what the list has, and of what is meant.
func mistyping(typed, meant string) (string, string) {
	keyword, flag, has := strings.Cut(typed, " ")
	switch {
	case strings.HasPrefix(typed, "CMD["):
		return typed, meant
	case !has:
		return typed + " " + rightArguments[meant], meant + " " + rightArguments[meant]
	case typed == "COPY --from-build(er)":
		return "COPY --from-build a b", "COPY --from=build a b"
	case strings.HasPrefix(typed, "COPY"):
		meant = "--from=build"
		return "COPY " + strings.TrimSuffix(flag, "build") + "build a b", "COPY " + meant + " a b"
	case strings.Contains(typed, "type="):
		return typed + ",target=/c true", "RUN --mount=type=cache,target=/c true"
	case keyword == "RUN":
		return typed + "type=cache,target=/c true", "RUN " + meant + "type=cache,target=/c true"
	case keyword == "FROM":
		return typed + "$BUILDPLATFORM alpine", "FROM " + meant + "$BUILDPLATFORM alpine"
	}
	return typed + "3s CMD true", keyword + " " + meant + "3s CMD true"
}

// Every misspelling by one edit of every instruction and flag is found, and the first fix is right in 99%.
func TestMisspellingsByOneEdit(t *testing.T) {
	tried, found, right := 0, 0, 0
	try := func(before, word, after string) {
		text := func(word string) string { return "FROM alpine AS build\n" + before + word + after + "\n" }
		for _, typed := range misspellings(word) {
			if isWord(before, typed) {
				continue
			}
			tried++
			got := firstFix(t, text(typed), 1)
			if got != "" {
				found++
			}
			if got == text(word) {
				right++
			} else if found-right < 20 {
				t.Logf("%s%s: %q", before, typed, got)
			}
		}
	}
	for _, keyword := range dockerfile.Keywords() {
		try("", keyword, " "+rightArguments[keyword])
		values := map[string]string{"link": "", "parents": "", "keep-git-dir": "", "unpack": "", "mount": "=type=cache,target=/c", "network": "=none", "security": "=sandbox",
			"device": "=x=y", "interval": "=3s", "timeout": "=3s", "start-period": "=3s", "start-interval": "=3s", "retries": "=3", "platform": "=$BUILDPLATFORM",
			"from": "=debian", "chmod": "=755", "exclude": "=x", "chown": "=1", "checksum": "=sha256:" + strings.Repeat("0", 64)}
		for _, flag := range dockerfile.FlagNames(keyword) {
			try(keyword+" --", flag, values[flag]+" "+rightArguments[keyword])
		}
	}
	t.Logf("%d misspellings, %d found, %d mended by the first fix", tried, found, right)
	if found < tried || right*100 < tried*99 {
		t.Error("not all found, or fewer than 99% mended")
	}
}

// isWord reports whether typed, behind before, is right itself.
func isWord(before, typed string) bool {
	keyword, _, flag := strings.Cut(before, " ")
	list := dockerfile.Keywords()
	if flag {
		list = dockerfile.FlagNames(keyword)
	}
	return slices.Contains(list, typed)
}

// misspellings are word with one letter dropped, doubled, swapped with the next or replaced by a key beside it.
func misspellings(word string) []string {
	rows := []string{"qwertyuiop", "asdfghjkl", "zxcvbnm"}
	seen := map[string]bool{word: true}
	var list []string
	add := func(s string) {
		if !seen[s] {
			seen[s] = true
			list = append(list, s)
		}
	}
	for i := range word {
		add(word[:i] + word[i+1:])
		add(word[:i+1] + word[i:])
		if i+1 < len(word) {
			add(word[:i] + word[i+1:i+2] + word[i:i+1] + word[i+2:])
		}
		lower := strings.ToLower(word[i : i+1])
		for _, row := range rows {
			at := strings.Index(row, lower)
			for _, beside := range []int{at - 1, at + 1} {
				if at < 0 || beside < 0 || beside == len(row) {
					continue
				}
				key := row[beside : beside+1]
				if lower != word[i:i+1] {
					key = strings.ToUpper(key)
				}
				add(word[:i] + key + word[i+1:])
			}
		}
	}
	return list
}
