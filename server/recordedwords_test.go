package server_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/server/lsptest"
)

// Replays what the tests of another server asked about completion, hover and signature help. Their texts are their own,
// and ours are ours: so what is compared is what is offered, where something is said and which values, and which
// parameter is active. The counts and the reasons are in docs/peers.md.
func TestRecordedWords(t *testing.T) {
	if *recorded == "" {
		t.Skip("SKIPPED: needs -args -recorded FILE")
	}
	f, err := os.Open(*recorded)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	e := lsptest.Open(
		t,
		map[string]any{
			"textDocument": map[string]any{
				"completion": map[string]any{"completionItem": map[string]any{"snippetSupport": true}},
			},
		},
		nil,
	)
	counts := map[string]map[string]int{}
	shown := map[string]int{}
	seen := map[string]bool{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for n := 0; lines.Scan(); n++ {
		var c recordedCall
		if seen[lines.Text()] {
			continue
		}
		seen[lines.Text()] = true
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		compare := map[string]func(theirs, ours any) (string, string, string){
			"textDocument/completion": compareCompletion, "textDocument/hover": compareHover,
			"textDocument/signatureHelp": compareSignatures,
		}[c.Method]
		if compare == nil || !strings.HasSuffix(c.Method, *only) {
			continue
		}
		uri := fmt.Sprint("untitled:Dockerfile-", n)
		e.OpenFile(uri, "dockerfile", c.Text)
		params := lsptest.Document(uri)
		maps.Copy(params, c.Params)
		var theirs, ours any
		if err := json.Unmarshal(c.Result, &theirs); err != nil {
			t.Fatal(err)
		}
		if err := e.Call(c.Method, params, &ours); err != nil {
			t.Fatalf("%s: %v", c.Method, err)
		}
		e.Notify("textDocument/didClose", lsptest.Document(uri))
		kind, was, is := compare(theirs, ours)
		if counts[c.Method] == nil {
			counts[c.Method] = map[string]int{}
		}
		counts[c.Method][kind]++
		if shown[c.Method+kind]++; kind != "same" && shown[c.Method+kind] <= *differ {
			t.Logf("%s: %s, %v\n%s\ntheirs: %s\nours:   %s", c.Method, kind, c.Params, c.Text, was, is)
		}
	}
	for _, method := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%s: %v", method, counts[method])
	}
}

// heads are what items begin with: the instruction of a snippet, the flag without its value.
func heads(answer any) map[string]bool {
	if items := pick(answer, "items"); items != nil {
		answer = items
	}
	list, _ := answer.([]any)
	out := map[string]bool{}
	for _, it := range list {
		label, _ := pick(it, "label").(string)
		if cut := strings.IndexAny(label, " ="); cut > 0 && !strings.HasPrefix(label, "$") {
			label = label[:cut]
		}
		out[label] = true
	}
	return out
}

func compareCompletion(theirs, ours any) (kind, was, is string) {
	a, b := heads(theirs), heads(ours)
	was, is = fmt.Sprint(slices.Sorted(maps.Keys(a))), fmt.Sprint(slices.Sorted(maps.Keys(b)))
	missing := false
	for head := range a {
		missing = missing || !b[head]
	}
	switch {
	case was == is:
		return "same", was, is
	case missing && len(b) == 0:
		return "only they offer something", was, is
	case missing:
		return "they offer something that we do not", was, is
	case len(a) == 0:
		return "only we offer something", was, is
	}
	return "we offer more", was, is
}

func compareHover(theirs, ours any) (kind, was, is string) {
	a, b := hoverText(theirs), hoverText(ours)
	switch {
	case a == "" && b == "":
		return "same", a, b
	case a == "":
		return "only we say something", a, b
	case b == "":
		return "only they say something", a, b
	case !strings.Contains(a, "\n") && len(a) < 60 && !strings.Contains(b, a): // a variable's value
		return "another value", a, b
	}
	return "same", a, b
}

// hoverText is what a hover says about the word: without the verdict.
func hoverText(answer any) string {
	contents := pick(answer, "contents")
	text, _ := contents.(string)
	if value, ok := pick(contents, "value").(string); ok {
		text = value
	}
	if _, about, ok := strings.Cut(text, "────────"); ok && strings.Contains(text, "Compared with") {
		return strings.TrimSpace(about)
	}
	if strings.Contains(text, "Compared with") {
		return ""
	}
	return text
}

func compareSignatures(theirs, ours any) (kind, was, is string) {
	labels := func(a any) (list []string, active string) {
		signatures, _ := pick(a, "signatures").([]any)
		for _, s := range signatures {
			label := pick(s, "label").(string)
			list = append(
				list,
				strings.TrimSuffix(
					strings.TrimPrefix(
						strings.Replace(strings.TrimPrefix(label, "# "), "[flags] command", "command", 1),
						"HEALTHCHECK --",
					),
					" ...",
				),
			)
		}
		if len(signatures) > 0 {
			first := signatures[0]
			params, _ := pick(first, "parameters").([]any)
			n, _ := pick(a, "activeParameter").(float64)
			if int(n) < len(params) {
				active = pick(params[int(n)], "label").(string)
			}
		}
		slices.Sort(list)
		return list, active
	}
	a, at := labels(theirs)
	b, to := labels(ours)
	for i, label := range b {
		b[i] = strings.TrimPrefix(label, "--")
	}
	for i, label := range a {
		a[i] = strings.TrimPrefix(label, "--")
	}
	was, is = fmt.Sprint(a, " ", at), fmt.Sprint(b, " ", to)
	switch {
	case was == is:
		return "same", was, is
	case len(a) == 0:
		return "only we show something", was, is
	case len(b) == 0:
		return "only they show something", was, is
	case fmt.Sprint(a) == fmt.Sprint(b):
		return "another parameter", was, is
	}
	return "other forms", was, is
}
