package cachemodel

import "fmt"

// CacheMode is how a build's cache was exported for a fresh builder, which has nothing but what it imports.
type CacheMode string

// The modes, as `cache-to` has them, and that of a builder that imports no cache.
const (
	NoCacheImport CacheMode = "none"
	MinCache      CacheMode = "min"    // the default of every `cache-to`
	MaxCache      CacheMode = "max"    // with the results of all steps
	InlineCache   CacheMode = "inline" // in the image itself; what is in it is as with min
	ReadCache     CacheMode = "read"   // whichever it was: the cache itself was read, see Held.Importing
)

// ParseCacheMode reads the name of a mode; "" is no mode: the builder that made the builds is asked.
func ParseCacheMode(name string) (CacheMode, error) {
	switch mode := CacheMode(name); mode {
	case "", NoCacheImport, MinCache, MaxCache, InlineCache:
		return mode, nil
	}
	return "", fmt.Errorf("%q is not a kind of cache: use none, min, max or inline", name)
}

// Text says how the cache was exported, for people: "mode=min".
func (m CacheMode) Text() string {
	if m == MinCache || m == MaxCache {
		return "mode=" + string(m)
	}
	return string(m)
}

// exported says what of the build a fresh builder has that imports the build's cache, by vertex (BuildKit,
// solver/exporter.go and cache/remotecache). With mode=min the keys of all steps are exported, but of their results
// only those that are layers of the image.
func (past *Past) exported(out lefts) {
	switch past.Exported {
	case NoCacheImport:
		for i := range out {
			out[i].Result = Result{Gone, "no cache is imported, and a fresh builder has nothing"}
		}
	case MinCache, InlineCache:
		reason := "a cache with mode=min keeps the layers of the final image only"
		if past.Exported == InlineCache {
			reason = "an inline cache keeps the layers of the final image only"
		}
		for i := range out {
			out[i].Result = Result{KeyOnly, reason}
		}
		for _, v := range past.Plan.images {
			for ; v != nil; v = v.base() {
				out[v.index].Result = Result{}
				if v.kind == mergeVertex {
					out[v.inputs[1].from.index].Result = Result{}
				}
			}
		}
	}
}

// base is the vertex that v adds a layer to, nil if there is none.
func (v *vertex) base() *vertex {
	if len(v.inputs) == 0 || v.inputs[0].content {
		return nil
	}
	return v.inputs[0].from
}
