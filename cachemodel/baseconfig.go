package cachemodel

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/images"
)

// A setting that a file makes may be, by chance, what the base image has already: ENV V=1, USER app, WORKDIR /out.
// Where the image's configuration is not known, two operations may so be equal though their texts differ. This file
// says which may.

// environment is what a RUN is run with, as a list and as its digest.
type environment struct {
	vars *envNode
	sum  opKey
}

// mayBe reports whether two operations of the same lax key may be equal.
func (v *vertex) mayBe(old *vertex) bool {
	if v.key.loose || old.key.loose || v.key.is(old.key) {
		return true
	}
	return slices.EqualFunc(v.key.parts, old.key.parts, value.mayBe) &&
		(v.env == nil || old.env == nil || v.env.mayBe(old.env))
}

// mayBe reports whether two values may be equal.
func (v value) mayBe(other value) bool {
	switch {
	case v.opaque == "" && other.opaque == "":
		return v.text == other.text
	case v.opaque == other.opaque, v.unknown(), other.unknown():
		return true
	case v.contains(other), other.contains(v):
		return false
	case v.opaque == "":
		v, other = other, v
	}
	if strings.Contains(v.opaque, rootUser) && other.opaque == "" { // what other is: "", "root", "0:0"
		return other.text == "" || strings.HasPrefix(other.text, "root") || strings.HasPrefix(other.text, "0")
	}
	head, tail := v.ends()
	begin, end := other.ends()
	return (strings.HasPrefix(head, begin) || strings.HasPrefix(begin, head)) &&
		(strings.HasSuffix(tail, end) || strings.HasSuffix(end, tail)) &&
		(other.opaque != "" || len(other.text) >= len(head)+len(tail))
}

// ends are what the value begins and ends with, as far as that is known.
func (v value) ends() (head, tail string) {
	if v.opaque == "" {
		return v.text, v.text
	}
	text, ok := strings.CutPrefix(v.opaque, spelt)
	if !ok {
		return "", ""
	}
	head, _, _ = strings.Cut(text, "\x00")
	return head, text[strings.LastIndexByte(text, 0)+1:]
}

// contains reports whether the value is the other one with more around it, as /x:$PATH is of $PATH.
func (v value) contains(other value) bool {
	text, ok := strings.CutPrefix(v.opaque, spelt)
	atom := other.atoms()
	return ok && other.opaque != "" && len(text) > len(atom) && strings.Contains(text, atom) &&
		strings.Count(text, "\x00") == strings.Count(atom, "\x00")
}

// atoms is the text with a name in the place of each part that is not known.
func (v value) atoms() string {
	if v.opaque == "" {
		return v.text
	}
	if text, ok := strings.CutPrefix(v.opaque, spelt); ok {
		return text
	}
	return "\x00" + v.opaque + "\x00"
}

// spell is a value of which the text with names in the place of what is not known is this.
func spell(text, atoms string) value { return value{text, opaque(spelt[1:len(spelt)-1], atoms)} }

// below is where a path leads from a directory, if one of them is not wholly known: text is the path if what is not
// known is empty, and end what stands behind it. It ends as it is written, but where that leads upwards.
func below(kind, text string, cwd, dir value, end string) value {
	from, rel := cwd.atoms(), dir.text
	if dir.opaque != "" {
		_, rel = dir.ends()
		slash := strings.IndexByte(rel, '/')
		if slash < 0 {
			return value{text, opaque(kind, cwd.strict(), dir.strict(), end)}
		}
		head := strings.TrimSuffix(dir.atoms(), rel[slash:])
		from, rel = "\x00"+opaque(kind, "in", cwd.strict(), head)+"\x00", rel[slash+1:]
	}
	clean := path.Clean(rel)
	if clean == "." && end != "" {
		return spell(text, from+end)
	}
	if clean == "." || path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") {
		return value{text, opaque(kind, cwd.strict(), dir.strict(), end)}
	}
	return spell(text, from+"/"+clean+end)
}

// rootUser begins the name of the user of an image that is known to be root, however that is written.
const rootUser = "\x00root user\x00"

// mayBe reports whether two environments may be equal. With an image of unknown configuration below, a variable that
// only one of them sets may be the image's own: so the settings of one must be the last ones of the other.
func (e *environment) mayBe(other *environment) bool {
	if e.sum.is(other.sum) {
		return true
	}
	a, b := ownVars(e.vars), ownVars(other.vars)
	if a.base == nil && b.base == nil {
		return slices.EqualFunc(a.set, b.set, (*envNode).mayBe)
	}
	if len(a.set) > len(b.set) {
		a, b = b, a
	}
	if a.base == nil && len(a.set) < len(b.set) { // the image that is known sets fewer
		return false
	}
	if a.again || b.again { // the order is not known
		return a.mayBeWithin(&b) && b.mayBeWithin(&a)
	}
	more := len(b.set) - len(a.set)
	return slices.EqualFunc(a.set, b.set[more:], (*envNode).mayBe) &&
		!slices.ContainsFunc(b.set[:more], func(n *envNode) bool { return !a.mayHold(n) })
}

func (n *envNode) mayBe(other *envNode) bool { return n.key == other.key && n.val.mayBe(other.val) }

// vars are the variables in force: what the image of unknown configuration sets, and what is set upon it, in order.
type vars struct {
	base  *envNode // nil if all is known
	path  value    // PATH, if the image sets it
	again bool     // those of the image have been set again among the others
	set   []*envNode
}

func ownVars(n *envNode) vars {
	var out vars
	for _, n := range n.list() {
		switch {
		case n.key == baseVars:
			out.base, out.again = n, !strings.HasPrefix(n.val.opaque, baseVars)
		case n.key == "PATH" && n.origin == (origin{}) && n.val.opaque != "":
			out.path = n.val
		default:
			out.set = append(out.set, n)
		}
	}
	return out
}

// mayBeWithin reports whether the other environment may have all variables that are set in this one.
func (v *vars) mayBeWithin(other *vars) bool {
	for _, n := range v.set {
		at := slices.IndexFunc(other.set, func(m *envNode) bool { return m.key == n.key })
		if at >= 0 && !n.mayBe(other.set[at]) || at < 0 && !other.mayHold(n) {
			return false
		}
	}
	return true
}

// mayHold reports whether the image may set a variable to a value.
func (v *vars) mayHold(n *envNode) bool {
	if v.base == nil {
		return false
	}
	if n.key == "PATH" {
		return n.val.mayBe(v.path)
	}
	if sets, known := images.Sets(v.base.val.text, n.key); known && !sets {
		return false
	}
	return n.val.mayBe(value{opaque: n.key + "?" + v.base.val.opaque})
}

// brief is a short name for the key of an image.
func brief(key opKey) string {
	sum := sha256.Sum256([]byte(key.strict))
	name := hex.EncodeToString(sum[:16])
	if strings.Contains(key.strict, unknownMark) {
		name = unknownMark + name
	}
	return name
}
