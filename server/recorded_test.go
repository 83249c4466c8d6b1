package server_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/layerwise/layerwise/analysis/outline"
	"github.com/layerwise/layerwise/server/lsptest"
)

var (
	recorded = flag.String(
		"recorded",
		"",
		"replay `FILE`, the calls that another server's tests made, as lines of JSON {method, text, params, result}",
	)
	differ = flag.Int("differ", 5, "show so many different answers for each method")
	only   = flag.String("only", "", "replay only methods that end with this")
)

// call is one recorded call.
type recordedCall struct {
	Method       string
	Text         string
	Params       map[string]any
	Capabilities struct{ RangeLimit *int }
	Result       json.RawMessage
}

// comparable takes from two answers to a method what can be compared: what the protocol leaves open is left out.
var compared = map[string]func(answer any) any{
	"textDocument/definition": func(a any) any { return pick(a, "range") },
	"textDocument/documentHighlight": func(a any) any {
		return sorted(each(a, func(a any) any {
			return pick(a,
				"range")
		}))
	},
	"textDocument/foldingRange": func(a any) any {
		return sorted(
			each(a, func(a any) any { return []any{pick(a, "startLine"), pick(a, "endLine"), pick(a, "kind")} }),
		)
	},
	"textDocument/documentSymbol": func(a any) any {
		return each(a, func(a any) any { return pick(pick(pick(a, "location"), "range"), "start") })
	},
	"textDocument/documentLink": func(a any) any {
		return sorted(each(a, func(a any) any {
			target := pick(a, "target")
			if target == nil { // resolved later, to a page of Docker Hub
				target = fmt.Sprint("https://hub.docker.com/", pick(a, "data"))
			}
			return []any{pick(a, "range"), target}
		}))
	},
	"textDocument/semanticTokens/full": func(a any) any { return a },
	// Once more, taking the words and operators of shell commands for plain arguments, as the other server does.
	"textDocument/semanticTokens/full but for the shell": func(a any) any {
		return each(a, func(a any) any {
			text, types, _ := strings.Cut(a.(string), " | ")
			painted := []byte(types)
			for i := range painted {
				if painted[i] == 'f' ||
					painted[i] == '=' && i+3 < len(text) &&
						strings.IndexByte("&|;<>", text[strings.Index(text, ": ")+2+i]) >= 0 {
					painted[i] = 'p'
				}
				if painted[i] == 'm' {
					painted[i] = '='
				}
			}
			return text + string(painted)
		})
	},
	"textDocument/rangeFormatting":  sorted,
	"textDocument/onTypeFormatting": sorted,
	"textDocument/prepareRename": func(a any) any {
		if r := pick(a, "range"); r != nil {
			return r
		}
		return a
	},
	"textDocument/rename": func(a any) any {
		if m, ok := a.(map[string]any); ok {
			a = nil
			for _, edits := range m["changes"].(map[string]any) {
				a = edits
			}
		}
		return sorted(a)
	},
}

// theirTokens is the other server's legend.
var theirTokens = []string{
	"keyword",
	"comment",
	"parameter",
	"property",
	"namespace",
	"class",
	"macro",
	"string",
	"variable",
	"operator",
	"modifier",
}

// painted gives for each line that has tokens the type of each character, by a letter.
func painted(text string, answer any, legend []string) any {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	data, _ := pick(answer, "data").([]any)
	shown := map[int][]byte{}
	line, character := 0, 0
	for ; len(data) >= 5; data = data[5:] {
		n := func(i int) int { return int(data[i].(float64)) }
		if n(0) > 0 {
			character = 0
		}
		line, character = line+n(0), character+n(1)
		if line >= len(lines) {
			break
		}
		if shown[line] == nil {
			shown[line] = []byte(strings.Repeat(" ", len(lines[line])))
		}
		for i := character; i < min(character+n(2), len(shown[line])); i++ {
			if c := lines[line][i]; c != ' ' && c != '\t' {
				shown[line][i] = letters[legend[n(3)]]
			}
		}
	}
	var out []any
	for _, n := range slices.Sorted(maps.Keys(shown)) {
		out = append(out, fmt.Sprintf("%d: %s | %s", n, lines[n], shown[n]))
	}
	return out
}

var letters = map[string]byte{
	"keyword": 'K', "comment": '#', "parameter": 'p', "property": 'P', "namespace": 'N', "class": 'C', "macro": 'M',
	"string": 's', "variable": 'v',
	"operator": '=', "modifier": 'm', "function": 'f', "number": '1',
}

// Replays what the tests of another server asked it, and counts for each method how often ours answers the same.
// docs/peers.md explains the differences.
func TestRecorded(t *testing.T) {
	if *recorded == "" {
		t.Skip("SKIPPED: needs -args -recorded FILE")
	}
	f, err := os.Open(*recorded)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	type count struct{ same, different, errors int }
	counts := map[string]*count{}
	e := lsptest.Open(
		t,
		map[string]any{"textDocument": map[string]any{"rename": map[string]any{"prepareSupport": true}}},
		nil,
	)
	seen := map[string]bool{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	replay := func(n int, c recordedCall, as string) {
		reduce := compared[as]
		if reduce == nil || !strings.HasSuffix(as, *only) {
			return
		}
		uri := "untitled:Dockerfile-" + strconv.Itoa(n)
		e.OpenFile(uri, "dockerfile", c.Text)
		params := lsptest.Document(uri)
		maps.Copy(params, c.Params)
		if c.Method == "textDocument/references" {
			params["context"] = map[string]any{"includeDeclaration": true}
		}
		var theirs, ours any
		if err := json.Unmarshal(c.Result, &theirs); err != nil {
			t.Fatal(err)
		}
		k := counts[as]
		if k == nil {
			k = &count{}
			counts[as] = k
		}
		err := e.Call(c.Method, params, &ours)
		if err != nil {
			k.errors++
			ours = nil
		}
		e.Notify("textDocument/didClose", lsptest.Document(uri))
		if list, ok := ours.([]any); ok && c.Capabilities.RangeLimit != nil && len(list) > *c.Capabilities.RangeLimit {
			ours = list[:max(0, *c.Capabilities.RangeLimit)]
		}
		if c.Method == "textDocument/semanticTokens/full" {
			theirs, ours = painted(c.Text, theirs, theirTokens), painted(c.Text, ours, outline.TokenTypes)
		}
		if nothing(theirs) && nothing(ours) {
			k.same++
		} else if diff := cmp.Diff(reduce(theirs), reduce(ours)); diff == "" {
			k.same++
		} else if k.different++; k.different <= *differ {
			at, _ := json.Marshal(c.Params)
			show := func(a any) string {
				text, _ := json.Marshal(a)
				return string(text)
			}
			t.Logf("%s %s\n%s\ntheirs: %s\nours:   %s "+
				"%v", as, at, c.Text, show(reduce(theirs)), show(reduce(ours)), err)
		}
	}
	for n := 0; lines.Scan(); n++ {
		if seen[lines.Text()] {
			continue
		}
		seen[lines.Text()] = true
		var c recordedCall
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatalf("line %d: %v", n+1, err)
		}
		replay(n, c, c.Method)
		replay(n, c, c.Method+" but for the shell")
	}
	for _, method := range slices.Sorted(maps.Keys(counts)) {
		k := counts[method]
		fmt.Printf(
			"| `%s` | %d | %d | %.1f %% |\n",
			method,
			k.same+k.different,
			k.same,
			100*float64(k.same)/float64(k.same+k.different),
		)
	}
}

// nothing reports whether an answer says that there is nothing.
func nothing(a any) bool {
	list, ok := a.([]any)
	return a == nil || ok && len(list) == 0
}

func pick(a any, name string) any {
	if m, ok := a.(map[string]any); ok {
		return m[name]
	}
	return nil
}

func each(a any, f func(any) any) any {
	list, _ := a.([]any)
	out := []any{}
	for _, item := range list {
		out = append(out, f(item))
	}
	return out
}

// sorted orders the parts of an answer whose order means nothing.
func sorted(a any) any {
	list, _ := a.([]any)
	list = slices.Clone(list)
	text := func(a any) string { b, _ := json.Marshal(a); return string(b) }
	slices.SortFunc(list, func(a, b any) int { return strings.Compare(text(a), text(b)) })
	if list == nil {
		return []any{}
	}
	return list
}
