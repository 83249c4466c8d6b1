package cachemodel

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// value is a string that may depend on the configuration of a base image that is not known.
type value struct {
	text string // what it is if the base image's configuration sets nothing
	// opaque, unless it is "", names the expression: two values with the same opaque are equal whatever the
	// configuration says. Where it is "", text is certain.
	opaque string
}

func plain(text string) value { return value{text: text} }

// unknownMark is part of each opaque name that stands for what nobody knows: see UnknownParts. The text is then only
// what is most likely, and may be anything.
const unknownMark = "\x00?unknown?\x00"

// unknown reports whether nobody knows what the value is.
func (v value) unknown() bool { return v.opaque != "" && strings.Contains(v.opaque, unknownMark) }

// strict returns a string that is equal for two values only if they are equal in every case.
func (v value) strict() string {
	if v.opaque != "" {
		return v.opaque
	}
	return v.text
}

// opKey is the key of a vertex's own operation, without its inputs (solver.CacheMap.Digest): all that makes the
// operation, written as one string. Equal strict keys are equal operations in every case. Operations that may be equal
// have the same lax key, which leaves out what base images of unknown configuration may set, and parts that may be
// equal one by one: see mayBe. A loose key hangs on what nobody knows, and may be equal to any other.
type opKey struct {
	strict, lax string
	parts       []value // what lax leaves out, but for the environment
	open        bool    // it hangs on a base image of unknown configuration, or on what nobody knows
	loose       bool
}

// is reports whether two keys are of one operation in every case.
func (k opKey) is(other opKey) bool { return k.strict == other.strict }

// keyWriter collects the parts of an operation. The zero value is ready for use.
type keyWriter struct {
	lax    []byte
	strict []byte // only kept apart once a part is not certain
	apart  bool
	parts  []value // see opKey
	open   bool
	loose  bool
}

func appendPart(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func (w *keyWriter) str(parts ...string) *keyWriter {
	for _, s := range parts {
		w.lax = appendPart(w.lax, s)
		if w.apart {
			w.strict = appendPart(w.strict, s)
		}
	}
	return w
}

func (w *keyWriter) num(n int) *keyWriter {
	w.lax = binary.AppendVarint(w.lax, int64(n))
	if w.apart {
		w.strict = binary.AppendVarint(w.strict, int64(n))
	}
	return w
}

func (w *keyWriter) flag(b bool) *keyWriter {
	if b {
		return w.num(1)
	}
	return w.num(0)
}

func (w *keyWriter) list(parts []string) *keyWriter {
	return w.num(len(parts)).str(parts...)
}

func (w *keyWriter) val(v value) *keyWriter {
	if v.opaque != "" {
		w.split()
		w.open, w.loose = true, w.loose || v.unknown()
	}
	w.lax = appendPart(w.lax, v.text)
	if w.apart {
		w.strict = appendPart(w.strict, v.strict())
	}
	return w
}

// part adds a value that a base image may set, or that may be made of what it sets.
func (w *keyWriter) part(v value) *keyWriter {
	w.split()
	w.parts = append(w.parts, v)
	w.open, w.loose = w.open || v.opaque != "", w.loose || v.unknown()
	w.strict = appendPart(w.strict, v.strict())
	return w
}

// environment adds the digest of an environment.
func (w *keyWriter) environment(k opKey) *keyWriter {
	w.split()
	w.open, w.loose = w.open || k.open, w.loose || k.loose
	w.strict = appendPart(w.strict, k.strict)
	return w
}

func (w *keyWriter) key(k opKey) *keyWriter {
	if k.strict != k.lax {
		w.split()
	}
	w.open, w.loose = w.open || k.open, w.loose || k.loose
	w.lax = appendPart(w.lax, k.lax)
	if w.apart {
		w.strict = appendPart(w.strict, k.strict)
	}
	return w
}

func (w *keyWriter) split() {
	if !w.apart {
		w.apart = true
		w.strict = append(w.strict[:0], w.lax...)
	}
}

// reset makes the writer empty and keeps its memory.
func (w *keyWriter) reset() *keyWriter {
	w.lax, w.apart, w.parts, w.open, w.loose = w.lax[:0], false, w.parts[:0], false, false
	return w
}

// done returns the key.
func (w *keyWriter) done() opKey {
	lax := string(w.lax)
	if !w.apart {
		return opKey{strict: lax, lax: lax}
	}
	return opKey{
		strict: string(w.strict), lax: lax, parts: slices.Clone(w.parts), open: w.open, loose: w.loose,
	}
}

// sum returns a digest of the key, for what would else grow with the file.
func (w *keyWriter) sum() opKey {
	lax := sha256.Sum256(w.lax)
	k := opKey{lax: string(lax[:])}
	k.strict = k.lax
	if w.apart {
		strict := sha256.Sum256(w.strict)
		k.strict, k.open, k.loose = string(strict[:]), w.open, w.loose
	}
	return k
}
