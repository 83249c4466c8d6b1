package cachemodel

import (
	"crypto/sha256"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// origin says where a setting comes from, for the cause of a miss.
type origin struct {
	line int  // 1-based line in the Dockerfile, 0 if the setting is not written there
	arg  bool // it is a build argument, not ENV
}

// envNode is one setting in the order in which they were made (client/llb.EnvList); a later one of the same key
// hides an earlier one.
type envNode struct {
	parent *envNode
	key    string
	val    value
	origin origin
	placed bool // it stands where an image of unknown configuration has it, or would have it
}

// baseVars is the key under which the variables of a base image of unknown configuration stand.
const baseVars = "\x00base"

// environ is the environment of a stage while its plan is made.
type environ struct {
	head  *envNode
	index map[string]*envNode
	sum   opKey    // digest of the settings up to summed
	upTo  *envNode // the last setting that sum covers, nil if it is none
	again bool     // a setting that sum covers has been made again

	hidden int // how many settings of the list are no longer in force
	recall *recall
}

// set puts key last, as BuildKit's State.AddEnv does, also where it was set before.
func (e *environ) set(key string, val value, from origin) {
	e.put(envNode{key: key, val: val, origin: from})
}

func (e *environ) put(n envNode) {
	n.parent = e.head
	e.head = e.recall.node(n)
	if e.index == nil {
		e.index = map[string]*envNode{}
	}
	_, set := e.index[n.key]
	e.index[n.key] = e.head
	if !set {
		return
	}
	e.again = true
	if e.hidden++; e.hidden > len(e.index) { // so that the list stays short
		inForce := e.head.list()
		e.head, e.upTo, e.hidden = nil, nil, 0
		for _, n := range inForce {
			copied := *n
			copied.parent = e.head
			e.head = e.recall.node(copied)
			e.index[n.key] = e.head
		}
	}
}

// digest identifies the list of all variables in order, as it is part of each RUN's key. It is that of the list without
// its last variable, and that one: so it costs little to extend.
func (e *environ) digest() opKey {
	if e.upTo == e.head {
		return e.sum
	}
	var fresh []*envNode
	if e.again {
		e.sum, e.again = opKey{}, false
		fresh = e.head.list()
	} else {
		for n := e.head; n != e.upTo; n = n.parent {
			fresh = append(fresh, n)
		}
		slices.Reverse(fresh)
	}
	var w keyWriter
	for _, n := range fresh {
		e.sum = w.reset().key(e.sum).str(n.key).val(n.val).flag(n.placed).sum()
	}
	e.upTo = e.head
	return e.sum
}

func (e *environ) clone() environ {
	c := *e
	c.index = make(map[string]*envNode, len(e.index))
	for k, v := range e.index {
		c.index[k] = v
	}
	return c
}

// list returns the settings in force, in order.
func (n *envNode) list() []*envNode {
	var out []*envNode
	seen := map[string]bool{}
	for ; n != nil; n = n.parent {
		if !seen[n.key] {
			seen[n.key] = true
			out = append(out, n)
		}
	}
	slices.Reverse(out)
	return out
}

// expander expands variables in words as the Dockerfile frontend does.
type expander struct {
	lex    *shell.Lex
	escape string // characters that make a word worth lexing
}

func newExpander(escape byte) expander {
	return expander{lex: shell.NewLex(rune(escape)), escape: "$'\"" + string(rune(escape))}
}

// What variables come to is bounded: ENV A1=$A0$A0, ENV A2=$A1$A1 and so on doubles with each line.
const (
	maxValue     = 4 << 10  // bytes of a word with variables, or of a path: a longer one is kept as its digest
	maxExpansion = 64 << 10 // bytes of the variables of one word: beyond it their digests stand in it
)

// tooLong begins the digest that stands for a text which is too long to be kept. Two are equal if the texts are.
const tooLong = "\x00too long\x00"

func shorten(text string, most int) string {
	if len(text) <= most || strings.HasPrefix(text, tooLong) && len(text) == len(tooLong)+sha256.Size {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return tooLong + string(sum[:])
}

// envView is the lexer's view of an environ. It remembers which names were asked for.
type envView struct {
	env   *environ
	asked []string
	size  int               // of the values
	short map[string]string // of values, once they are too much
	long  bool              // one of them is too long
}

func (l *envView) Get(key string) (string, bool) {
	l.asked = append(l.asked, key)
	n, ok := l.env.index[key]
	if !ok {
		return "", false
	}
	text := n.val.text
	if l.size += len(text); l.size > maxExpansion {
		short, ok := l.short[key]
		if !ok {
			if l.short == nil {
				l.short = map[string]string{}
			}
			short = shorten(text, len(tooLong))
			l.short[key] = short
		}
		text = short
	}
	l.long = l.long || strings.HasPrefix(text, tooLong)
	return text, true
}

func (l *envView) Keys() []string {
	keys := make([]string, 0, len(l.env.index))
	for k := range l.env.index {
		keys = append(keys, k)
	}
	return keys
}

// word expands one word. The result depends on the base image if a variable does.
func (x expander) word(word string, env *environ) (value, error) {
	if !strings.ContainsAny(word, x.escape) {
		return plain(word), nil
	}
	if r := env.recall; r != nil {
		in := wordIn{env.head, word}
		v, ok := look(r.before.words, r.now.words, in)
		if !ok {
			var err error
			if v, err = expand(x.lex, word, env); err != nil {
				return v, err
			}
			r.now.words[in] = v
		}
		return v, nil
	}
	return expand(x.lex, word, env)
}

// raw expands the body of a heredoc, where quotes are plain characters (instructions.SupportsSingleWordExpansionRaw).
func (x expander) raw(body string, env *environ) (value, error) {
	lex := shell.NewLex('\\')
	lex.SkipProcessQuotes = true
	return expand(lex, body, env)
}

// modifier is a variable of which not only the value counts: ${X:-y}, ${X#y}, ...
var modifier = regexp.MustCompile(`\$\{\w*[^\w}]`)

func expand(lex *shell.Lex, word string, env *environ) (value, error) {
	l := &envView{env: env}
	text, _, err := lex.ProcessWord(word, l)
	if err != nil && strings.Contains(word, "?") && slices.ContainsFunc(l.asked, env.uncertain) {
		err = nil // ${V:?it must be set}: the base image may set it
	}
	if err != nil {
		return value{}, err
	}
	text = shorten(text, maxValue)
	if !slices.ContainsFunc(l.asked, env.uncertain) && !(l.long && modifier.MatchString(word)) {
		return plain(text), nil
	}
	if modifier.MatchString(word) {
		var names strings.Builder
		for _, key := range l.asked {
			names.WriteString("\x00" + key + "\x00" + env.name(key))
		}
		return value{text: text, opaque: opaque("expand", word, names.String())}, nil
	}
	// With names in the place of the values it is the same however it is spelt.
	name, _, err := lex.ProcessWord(word, envNames{l})
	return value{text: text, opaque: opaque(spelt[1:len(spelt)-1], name)}, err
}

// spelt begins the name of a text with names in the place of values.
const spelt = "\x00text\x00"

// uncertain reports whether the value of a variable hangs on a base image of unknown configuration.
func (e *environ) uncertain(key string) bool {
	if n, set := e.index[key]; set {
		return n.val.opaque != ""
	}
	_, unknown := e.index[baseVars]
	return unknown
}

// name is equal for two variables only if their values are, in every case.
func (e *environ) name(key string) string {
	if n, set := e.index[key]; set {
		return n.val.strict()
	}
	if base, unknown := e.index[baseVars]; unknown {
		return key + "?" + base.val.opaque
	}
	return ""
}

// envNames is a view of an environ where a value that is not certain has a name in its place.
type envNames struct{ *envView }

func (l envNames) Get(key string) (string, bool) {
	if !l.env.uncertain(key) {
		return l.envView.Get(key)
	}
	name := l.env.name(key)
	if text, ok := strings.CutPrefix(name, spelt); ok {
		return text, true
	}
	return "\x00" + name + "\x00", true
}

// opaque names an expression by its parts. It stays short where expressions stand in expressions.
func opaque(parts ...string) string {
	name := "\x00" + strings.Join(parts, "\x00")
	if len(name) <= 200 {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	mark := "\x00sum\x00"
	if strings.Contains(name, unknownMark) {
		mark = unknownMark
	}
	return mark + string(sum[:])
}
