package shellscript_test

import (
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/shellscript"
)

func TestLanguageOf(t *testing.T) {
	for program, want := range map[string]shellscript.Language{
		"/bin/sh": shellscript.Bash, "bash": shellscript.Bash, "zsh": shellscript.Bash, "pwsh": shellscript.PowerShell,
		"PowerShell.exe":              shellscript.PowerShell,
		`C:\Windows\System32\cmd.exe`: shellscript.Cmd, "cmd": shellscript.Cmd, "fish": shellscript.Unknown,
		"": shellscript.Unknown, "/usr/bin/python3": shellscript.Unknown,
	} {
		if got := shellscript.LanguageOf(program); got != want {
			t.Errorf("%q: %d, want %d", program, got, want)
		}
	}
}

// Whatever is typed: each piece lies within the text, holds something, and begins where or behind where the one
// before begins; what a string is made up of lies within it.
func FuzzPieces(f *testing.F) {
	for _, text := range []string{
		"Get-Item $env:X | % { \"a $($_.Name) `\" ${env:P(x86)}\" } # " +
			"c", "if not \"%A%\"==\"b\" (set X=1 & echo %X:a=b% %%i !X! ^& y) else goto " +
			"e", "$x = @\"\na $b\n\"@; [int]::Max(1, 2kb) -eq 3 <# x #>",
		"\"$(\"$(", "$", "@", "${", "%", "!", "^", "`", "@'", "<#", "$env:", "[", "::", "a.", "\"$(a)b$", "set ", "rem",
		"for %", "-", "2>&1", "\x00\xff",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, language := range []shellscript.Language{shellscript.PowerShell, shellscript.Cmd} {
			last := 0
			for _, p := range shellscript.Pieces(text, language) {
				if p.From < last || p.To <= p.From || p.To > len(text) {
					t.Fatalf("language %d, %q: %+v behind %d", language, text, p, last)
				}
				if p.Env != "" && text[p.EnvAt:p.EnvAt+len(p.Env)] != p.Env {
					t.Fatalf("language %d, %q: %+v", language, text, p)
				}
				last = p.From
			}
		}
		if shellscript.Pieces(text, shellscript.Bash) != nil {
			t.Fatal("Bash is parsed")
		}
	})
}

// What is nested too deeply or too long is not parsed: a parser would need all of the stack for it.
func TestBounded(t *testing.T) {
	nested := func(open, inner, closed string) string {
		return strings.Repeat(open, 100_000) + inner + strings.Repeat(closed, 100_000)
	}
	for why, c := range map[string]struct {
		text string
		want bool
	}{
		"a usual script":               {"if a; then b; fi && for x in y; do (z \"$(w)\"); done", true},
		"many groups, each closed":     {strings.Repeat("( a ); { b; }; $(c); ", 1000), true},
		"many conditions, each closed": {strings.Repeat("if a; then case b in c) d;; esac; fi; ", 1000), true},
		"subshells":                    {nested("( ", "a", " )"), false},
		"groups":                       {nested("{ ", "a", "; }"), false},
		"substitutions":                {nested("$(", "a", ")"), false},
		"strings":                      {nested("\"$(", "a", ")\""), false},
		"conditions":                   {nested("if a; then ", "b", "; fi"), false},
		"cases":                        {nested("case a in b) ", "c", ";; esac"), false},
		"loops":                        {nested("while a; do ", "b", "; done"), false},
		"arithmetic":                   {"echo $((" + nested("(", "1", ")") + "))", false},
		"defaults":                     {nested("${a:-", "b", "}"), false},
		"open ones":                    {strings.Repeat("$(", 1000), false},
		"a long one":                   {strings.Repeat("a; ", 100_000), false},
	} {
		if got := shellscript.Bounded(c.text); got != c.want {
			t.Errorf("%s: %v", why, got)
		}
	}
}
