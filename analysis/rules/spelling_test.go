package rules

import (
	"bufio"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
)

// arguments that are right for each instruction.
var rightArguments = map[string]string{
	"ADD": "a b", "ARG": "A=1", "CMD": `["a"]`, "COPY": "a b", "ENTRYPOINT": `["a"]`, "ENV": "A=1", "EXPOSE": "80",
	"FROM":        "debian",
	"HEALTHCHECK": "CMD true", "LABEL": "a=b", "MAINTAINER": "Jo", "ONBUILD": "RUN true", "RUN": "true",
	"SHELL":      `["/bin/sh", "-c"]`,
	"STOPSIGNAL": "SIGTERM", "USER": "me", "VOLUME": "/data", "WORKDIR": "/app",
}

// firstFix returns the text with the first fix of the first error or warning in the given line, counted from 0.
func firstFix(t *testing.T, text string, line int) string {
	t.Helper()
	var best *analysis.Finding
	for _, f := range checkText(text) {
		if strings.Count(text[:f.Span.Start], "\n") == line && f.Severity <= analysis.Warning &&
			(best == nil || f.Severity < best.Severity) {
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
	file, err := os.Open(corpus.Path(t, "typos.tsv"))
	if err != nil {
		t.Fatal(err)
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

// Every misspelling by one edit of every instruction, flag and word that a flag or instruction takes is found, and the
// first fix is right in 99%.
func TestMisspellingsByOneEdit(t *testing.T) {
	tried, found, right := 0, 0, 0
	type sum struct{ tried, found, right int }
	sums := map[string]*sum{}
	// try misspells word, which stands in a line between before and after, as no word of the list.
	try := func(kind, before, word, after string, list []string) {
		if sums[kind] == nil {
			sums[kind] = &sum{}
		}
		text := func(word string) string { return "FROM alpine AS build\n" + before + word + after + "\n" }
		line := 1
		if before == "# " {
			text = func(word string) string { return before + word + after + "\nFROM alpine\n" }
			line = 0
		}
		for _, typed := range misspellings(word) {
			if slices.Contains(list, typed) {
				continue
			}
			sums[kind].tried++
			got := firstFix(t, text(typed), line)
			if got != "" {
				sums[kind].found++
			}
			if got == text(word) {
				sums[kind].right++
			} else if kind != "" {
				t.Logf("%s%s: %q", before, typed, got)
			}
		}
	}
	for _, keyword := range dockerfile.Keywords() {
		try("instructions", "", keyword, " "+rightArguments[keyword], dockerfile.Keywords())
		values := map[string]string{
			"link":           "",
			"parents":        "",
			"keep-git-dir":   "",
			"unpack":         "",
			"mount":          "=type=cache,target=/c",
			"network":        "=none",
			"security":       "=sandbox",
			"device":         "=x=y",
			"interval":       "=3s",
			"timeout":        "=3s",
			"start-period":   "=3s",
			"start-interval": "=3s",
			"retries":        "=3",
			"platform":       "=$BUILDPLATFORM",
			"from":           "=debian",
			"chmod":          "=755",
			"exclude":        "=x",
			"chown":          "=1",
			"checksum":       "=sha256:" + strings.Repeat("0", 64),
		}
		for _, flag := range dockerfile.FlagNames(keyword) {
			args := rightArguments[keyword]
			if flag == "checksum" {
				args = "https://example.com/a b"
			}
			try("flags", keyword+" --", flag, values[flag]+" "+args, dockerfile.FlagNames(keyword))
		}
		if keyword != "FROM" && keyword != "ONBUILD" && keyword != "MAINTAINER" {
			try("triggers", "ONBUILD ", keyword, " "+rightArguments[keyword], dockerfile.Keywords())
		}
	}
	types := []string{"bind", "cache", "tmpfs", "secret", "ssh"}
	for _, word := range types {
		after := ",target=/c true"
		if word == "ssh" {
			after = " true"
		}
		try("mount types", "RUN --mount=type=", word, after, types)
	}
	keys := []string{
		"type",
		"from",
		"source",
		"src",
		"target",
		"dst",
		"destination",
		"readonly",
		"ro",
		"readwrite",
		"rw",
		"id",
		"sharing",
		"required",
		"size",
		"mode",
		"uid",
		"gid",
		"env",
	}
	mounts := map[string]string{
		"from": "type=bind,target=/c,from=debian", "source": "type=bind,target=/c,source=x",
		"src": "type=bind,target=/c,src=x", "target": "type=cache,target=/c", "dst": "type=cache,dst=/c",
		"destination": "type=cache,destination=/c", "readonly": "type=cache,target=/c,readonly=true",
		"readwrite": "type=bind,target=/c,readwrite=true",
		"sharing":   "type=cache,target=/c,sharing=locked", "required": "type=secret,id=x,required=true",
		"size": "type=tmpfs,target=/c,size=1g", "mode": "type=cache,target=/c,mode=755",
		"uid": "type=cache,target=/c,uid=1", "gid": "type=cache,target=/c,gid=1", "env": "type=secret,id=x,env=Y",
		"type": "type=cache,target=/c",
	}
	for _, key := range keys {
		if mount := mounts[key]; mount != "" {
			before, after, _ := strings.Cut(mount, key+"=")
			try("mount keys", "RUN --mount="+before, key, "="+after+" true", keys)
		}
	}
	for _, word := range []string{"shared", "private", "locked"} {
		try("values", "RUN --mount=type=cache,target=/c,sharing=", word, " true", nil)
	}
	for _, word := range []string{"none", "host", "default"} {
		try("values", "RUN --network=", word, " true", nil)
	}
	for _, word := range []string{"sandbox", "insecure"} {
		try("values", "RUN --security=", word, " true", nil)
	}
	for _, word := range []string{"CMD", "NONE"} {
		after := ""
		if word == "CMD" {
			after = " true"
		}
		try("values", "HEALTHCHECK ", word, after, nil)
	}
	protocols := []string{"tcp", "udp", "sctp"}
	for _, word := range protocols {
		try("values", "EXPOSE 80/", word, "", protocols)
	}
	for _, word := range []string{"SIGTERM", "SIGKILL", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2",
		"SIGWINCH"} {
		var known []string
		for _, s := range signals {
			known = append(known, "SIG"+s, s)
		}
		try("values", "STOPSIGNAL ", word, "", known)
	}
	for _, word := range []string{"syntax", "escape", "check"} {
		try(
			"directives",
			"# ",
			word,
			map[string]string{"syntax": "=docker/dockerfile:1", "escape": "=`", "check": "=skip=all"}[word],
			nil,
		)
	}
	for _, kind := range slices.Sorted(maps.Keys(sums)) {
		s := sums[kind]
		t.Logf(
			"%s: %d misspellings, %d found, %d fixed by the first fix (%.1f%%)",
			kind,
			s.tried,
			s.found,
			s.right,
			100*float64(s.right)/float64(s.tried),
		)
		tried, found, right = tried+s.tried, found+s.found, right+s.right
		if kind == "instructions" || kind == "flags" {
			if s.found < s.tried || s.right*100 < s.tried*99 {
				t.Errorf("%s: not all found, or fewer than 99%% fixed", kind)
			}
		}
	}
	t.Logf(
		"%d misspellings, %d found, %d fixed by the first fix (%.1f%%)",
		tried,
		found,
		right,
		100*float64(right)/float64(tried),
	)
	if found*100 < tried*99 || right*100 < tried*98 {
		t.Error("fewer than 99% found, or fewer than 98% fixed")
	}
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
