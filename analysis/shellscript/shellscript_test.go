package shellscript_test

import (
	"testing"

	"github.com/layerwise/layerwise/analysis/shellscript"
)

func TestLanguageOf(t *testing.T) {
	for program, want := range map[string]shellscript.Language{
		"/bin/sh": shellscript.Bash, "bash": shellscript.Bash, "zsh": shellscript.Bash, "pwsh": shellscript.PowerShell, "PowerShell.exe": shellscript.PowerShell,
		`C:\Windows\System32\cmd.exe`: shellscript.Cmd, "cmd": shellscript.Cmd, "fish": shellscript.Unknown, "": shellscript.Unknown, "/usr/bin/python3": shellscript.Unknown,
	} {
		if got := shellscript.LanguageOf(program); got != want {
			t.Errorf("%q: %d, want %d", program, got, want)
		}
	}
}

// Whatever is typed: each piece lies within the text, holds something, and begins where or behind where the one before begins; what a string is
// made up of lies within it.
func FuzzPieces(f *testing.F) {
	for _, text := range []string{
		"Get-Item $env:X | % { \"a $($_.Name) `\" ${env:P(x86)}\" } # c", "if not \"%A%\"==\"b\" (set X=1 & echo %X:a=b% %%i !X! ^& y) else goto e", "$x = @\"\na $b\n\"@; [int]::Max(1, 2kb) -eq 3 <# x #>",
		"\"$(\"$(", "$", "@", "${", "%", "!", "^", "`", "@'", "<#", "$env:", "[", "::", "a.", "\"$(a)b$", "set ", "rem", "for %", "-", "2>&1", "\x00\xff",
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
