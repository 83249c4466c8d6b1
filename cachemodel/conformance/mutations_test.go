package conformance

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/corpus"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

var mutationsFlag = flag.Int("mutations", 1500, "how many damaged files of the corpus are held to BuildKit")

// A Dockerfile of the corpus that was damaged as people damage files while they edit has an error if, and only if,
// BuildKit refuses it.
func TestErrorsOfMutations(t *testing.T) {
	var texts []string
	for _, text := range corpus.Dockerfiles(t) {
		if len(text) < 12000 {
			texts = append(texts, text)
		}
	}
	accepted, refused, different := 0, 0, 0
	for i := range *mutationsFlag {
		seed := *seedFlag + uint64(i)
		text := damage(rand.New(rand.NewPCG(seed, 1)), texts)
		difference, ok := compareErrors(text)
		if ok {
			accepted++
		} else {
			refused++
		}
		if difference != "" {
			different++
			t.Errorf("seed %d: %s\n%s", seed, difference, shrinkText(text))
		}
	}
	t.Logf("%d accepted, %d refused, %d different", accepted, refused, different)
}

// shrinkText leaves out lines as long as the difference stays.
func shrinkText(text string) string {
	lines := strings.SplitAfter(text, "\n")
	kind := func(d string) string { d, _, _ = strings.Cut(d, " "); return d }
	first, _ := compareErrors(text)
	for size := max(1, len(lines)/2); size > 0; size /= 2 {
		for at := 0; at+size <= len(lines); {
			fewer := slices.Delete(slices.Clone(lines), at, at+size)
			if d, _ := compareErrors(strings.Join(fewer, "")); d != "" && kind(d) == kind(first) {
				lines = fewer
			} else {
				at += size
			}
		}
	}
	short := strings.Join(lines, "")
	d, _ := compareErrors(short)
	return fmt.Sprintf("%q\n  %s", short, d)
}

// damage makes one to three changes to a text.
func damage(r *rand.Rand, texts []string) string {
	text := texts[r.IntN(len(texts))]
	for range 1 + r.IntN(3) {
		text = damages[r.IntN(len(damages))](r, text, texts)
	}
	return text
}

var tokens = []string{
	"\\", "\n", "\r\n", "\"", "'", "[", "]", "${", "}", "$", "<<EOF", "<<-'X'", "--", "--from=", "--mount=",
	"--mount=type=cache", "=", ",", "#", " ", "\t", "\u00a0", "`", ":", "@",
	"FROM", "AS", "RUN", "ENV ", "ONBUILD ", "HEALTHCHECK ", "SHELL ", "COPY ", "ARG ", "EXPOSE ", "\nEOF\n", "\n\n",
	"&&", "-", "/", "{", "0", "\x00", "\u2028", "--link", "NONE", "CMD",
	"--link=maybe", "--chmod=9", "# escape=`\n", "# syntax=x\n", "# check=skip=all\n", "# check=error=true\n", "\ufeff",
	"${x:?}", "${x:-", "${x#", "${x/a/b}", "scratch", "--platform=a/b/c/d",
	"80/tcp", "80-90", "{}", "[]", "[1]", "[\"a\",]", "--retries=-1", "--interval=1", "<<", "<<\"", "\\\n", "\\ \n",
	"\\\n#x\n", "--unpack", "--exclude=", "--parents", "--keep-git-dir=x", "--network=x", "--security=insecure",
	"--device=",
}

var damages = []func(r *rand.Rand, text string, texts []string) string{
	func(r *rand.Rand, text string, _ []string) string { // a character goes
		if text == "" {
			return text
		}
		at := r.IntN(len(text))
		return text[:at] + text[at+1:]
	},
	func(r *rand.Rand, text string, _ []string) string { // two swap places
		if len(text) < 2 {
			return text
		}
		at := r.IntN(len(text) - 1)
		return text[:at] + text[at+1:at+2] + text[at:at+1] + text[at+2:]
	},
	func(r *rand.Rand, text string, _ []string) string { // a line goes
		lines := strings.SplitAfter(text, "\n")
		at := r.IntN(len(lines))
		return strings.Join(slices.Delete(lines, at, at+1), "")
	},
	func(r *rand.Rand, text string, _ []string) string { // two lines swap places
		lines := strings.SplitAfter(text, "\n")
		a, b := r.IntN(len(lines)), r.IntN(len(lines))
		lines[a], lines[b] = lines[b], lines[a]
		return strings.Join(lines, "")
	},
	func(r *rand.Rand, text string, texts []string) string { // a line comes from elsewhere
		lines := strings.SplitAfter(text, "\n")
		others := strings.SplitAfter(texts[r.IntN(len(texts))], "\n")
		return strings.Join(slices.Insert(lines, r.IntN(len(lines)+1), others[r.IntN(len(others))]), "")
	},
	func(r *rand.Rand, text string, _ []string) string { // something is put in somewhere
		at := r.IntN(len(text) + 1)
		return text[:at] + tokens[r.IntN(len(tokens))] + text[at:]
	},
	func(r *rand.Rand, text string, _ []string) string { // ... at a word's beginning
		words := wordStarts(text)
		if len(words) == 0 {
			return text
		}
		at := words[r.IntN(len(words))]
		return text[:at] + tokens[r.IntN(len(tokens))] + text[at:]
	},
	func(r *rand.Rand, text string, _ []string) string { // a word goes
		words := wordStarts(text)
		if len(words) == 0 {
			return text
		}
		at := words[r.IntN(len(words))]
		end := at
		for end < len(text) && text[end] > ' ' {
			end++
		}
		return text[:at] + text[end:]
	},
	func(r *rand.Rand, text string, _ []string) string { // ... or is another one
		words := wordStarts(text)
		if len(words) == 0 {
			return text
		}
		at := words[r.IntN(len(words))]
		end := at
		for end < len(text) && text[end] > ' ' {
			end++
		}
		return text[:at] + tokens[r.IntN(len(tokens))] + text[end:]
	},
	func(r *rand.Rand, text string, _ []string) string { // two instructions in one line
		if n := strings.Count(text, "\n"); n > 1 {
			k := r.IntN(n)
			at := 0
			for range k + 1 {
				at += strings.IndexByte(text[at:], '\n') + 1
			}
			return text[:at-1] + " " + text[at:]
		}
		return text
	},
	func(r *rand.Rand, text string, _ []string) string { // the rest is not written yet
		return text[:r.IntN(len(text)+1)]
	},
	func(r *rand.Rand, text string, _ []string) string { // the arguments of an instruction go
		file := dockerfile.Parse(source.New(text), nil)
		if len(file.Instructions) == 0 {
			return text
		}
		in := file.Instructions[r.IntN(len(file.Instructions))]
		return text[:in.ArgsSpan.Start] + text[in.ArgsSpan.End:]
	},
	func(r *rand.Rand, text string, _ []string) string { // an instruction becomes another one
		file := dockerfile.Parse(source.New(text), nil)
		if len(file.Instructions) == 0 {
			return text
		}
		in := file.Instructions[r.IntN(len(file.Instructions))]
		names := dockerfile.Keywords()
		return text[:in.Keyword.Span.Start] + names[r.IntN(len(names))] + text[in.Keyword.Span.End:]
	},
	func(r *rand.Rand, text string, _ []string) string { // ... or gets a flag
		file := dockerfile.Parse(source.New(text), nil)
		if len(file.Instructions) == 0 {
			return text
		}
		in := file.Instructions[r.IntN(len(file.Instructions))]
		names := dockerfile.FlagNames(in.Meant)
		if len(names) == 0 {
			return text
		}
		values := []string{
			"",
			"=",
			"=x",
			"=true",
			"=0",
			"=5s",
			"=$x",
			"=\"a b\"",
			"=type=bind",
			"=a,b",
			"=build",
			"=755",
			"=1:2",
		}
		at := in.Keyword.Span.End
		return text[:at] + " --" + names[r.IntN(len(names))] + values[r.IntN(len(values))] + text[at:]
	},
	func(r *rand.Rand, text string, _ []string) string { // carriage returns
		return strings.ReplaceAll(text, "\n", "\r\n")
	},
}

// wordStarts are the offsets at which words begin.
func wordStarts(text string) (starts []int) {
	for i := range len(text) {
		if text[i] > ' ' && (i == 0 || text[i-1] <= ' ') {
			starts = append(starts, i)
		}
	}
	return starts
}
