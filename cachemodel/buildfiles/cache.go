package buildfiles

import (
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// caches are the caches that a list of a bake file names, each as a command line has it: "type=gha,mode=max".
func (o *opaque) caches() (out []string) {
	if o == nil || o.value == cty.NilVal || o.value.IsNull() || !o.value.IsKnown() || !o.value.CanIterateElements() {
		return nil
	}
	for _, v := range o.value.AsValueSlice() {
		switch {
		case v.IsNull() || !v.IsKnown():
		case v.Type() == cty.String:
			out = append(out, v.AsString())
		case v.Type().IsObjectType() || v.Type().IsMapType():
			var fields []string
			for name, field := range v.AsValueMap() {
				if !field.IsNull() && field.IsKnown() && field.Type() == cty.String {
					fields = append(fields, name+"="+field.AsString())
				}
			}
			slices.Sort(fields)
			out = append(out, strings.Join(fields, ","))
		}
	}
	return out
}

// cacheList is the value of a list of caches.
func cacheList(caches []string) *opaque {
	var values []cty.Value
	for _, c := range caches {
		values = append(values, cty.StringVal(c))
	}
	return &opaque{cty.TupleVal(values)}
}

// mergeCaches lets what t2 says of caches go before: those that are imported are joined.
func (t *bakeTarget) mergeCaches(t2 *bakeTarget) {
	if t2.CacheFrom != nil {
		t.CacheFrom = cacheList(unique(slices.Concat(t.CacheFrom.caches(), t2.CacheFrom.caches())))
	}
	if t2.CacheTo != nil {
		t.CacheTo = t2.CacheTo
	}
}

// overrideCaches carries out --set of caches for the target of a name, as far as it is about that.
func (t *bakeTarget) overrideCaches(name string, sets []string) {
	for key, to := range map[string]**opaque{"cache-from": &t.CacheFrom, "cache-to": &t.CacheTo} {
		var caches []string
		replaces, any := false, false
		for _, set := range sets {
			path, value, _ := strings.Cut(set, "=")
			path, appends := strings.CutSuffix(path, "+")
			pattern, what, _ := strings.Cut(path, ".")
			if what == key && matchesName(pattern, name) {
				caches, any, replaces = append(caches, value), true, replaces || !appends
			}
		}
		if any && !replaces {
			caches = slices.Concat((*to).caches(), caches)
		}
		if any {
			*to = cacheList(caches)
		}
	}
}
