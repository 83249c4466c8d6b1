package navigate

import (
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/shellscript"
)

// windows finds the variables of the environment in commands for PowerShell, "$env:NAME", and for the command prompt,
// "%NAME%". What they set is theirs; whether a use behind that reads it is not told for sure, as the command prompt
// replaces variables before it runs a line. On Windows the case of names does not matter; where a name is not found as
// it is written, one that differs in case is taken.
func (v *variables) windows(in *dockerfile.Instruction, script *shellscript.Script, language shellscript.Language) {
	own := map[string]*Occurrence{} // where each is set first, by its name in upper case
	for _, piece := range shellscript.Pieces(script.Text, language) {
		if piece.Env == "" || !isName(piece.Env) {
			continue
		}
		span := script.Place(piece.EnvAt, piece.EnvAt+len(piece.Env))
		if v.x.File.Text.Slice(span) != piece.Env {
			continue // on two lines
		}
		first := own[strings.ToUpper(piece.Env)]
		name, known := v.spelt(in, piece.Env, script.Runtime)
		switch {
		case piece.Set:
			local := &Symbol{Kind: Local, Name: piece.Env, in: in}
			if first != nil {
				local = first.Symbol
			} else {
				v.x.Symbols = append(v.x.Symbols, local)
			}
			o := v.x.add(local, in, span, Write)
			if first == nil {
				own[strings.ToUpper(piece.Env)], first = o, o
			}
			o.Definition = first
		case first != nil && !known:
			v.x.add(first.Symbol, in, span, Read).Definition = first
		default:
			if s := v.use(in, span, name, scopeOf(in), script.Runtime); s != nil && first != nil && v.unsure[s] == nil {
				v.unsure[s] = in
			}
		}
	}
}

// spelt returns a name as the definition has it that counts, and whether there is one.
func (v *variables) spelt(in *dockerfile.Instruction, name string, runtime bool) (spelt string, known bool) {
	defined := func(name string) bool {
		return v.lookup(scopeOf(in), in.Span.Start, name, in.Trigger != nil, runtime) != nil
	}
	if defined(name) {
		return name, true
	}
	for key := range v.defined {
		if strings.EqualFold(key.name, name) && (!known || key.name < spelt) && defined(key.name) {
			spelt, known = key.name, true
		}
	}
	if !known {
		spelt = name
	}
	return spelt, known
}
