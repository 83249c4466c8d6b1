package rules

import (
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// LargeLastlog finds users with numbers so high that a file of many gigabytes is made for them.
var LargeLastlog = &Rule{
	ID:       "large-lastlog",
	Severity: analysis.Warning,
	Hadolint: []string{"DL3046"},
	Doc: Doc{
		Summary: "useradd makes a huge file for a user with a high number",
		What:    "Finds `useradd` with a user number of six or more digits, without `--no-log-init`. The fix adds it.",
		Why: "useradd writes the user's place in `/var/log/lastlog` and `faillog`, files with holes. A layer has no " +
			"holes: the image grows by up to gigabytes.",
		Example: "FROM debian\nRUN useradd -u 1000700001 app\n",
		Instead: "FROM debian\nRUN useradd --no-log-init -u 1000700001 app\n",
	},
	of: []string{"RUN"},
	each: ofCommands(func(p *pass, in *dockerfile.Instruction, c command) {
		if c.words[0] != "useradd" || slices.ContainsFunc(c.words, func(word string) bool {
			return word == "--no-log-init" || len(word) > 1 && word[0] == '-' && word[1] != '-' &&
				strings.Contains(word, "l")
		}) {
			return
		}
		for i, word := range c.words {
			number, is := strings.CutPrefix(word, "--uid=")
			if is = is || (word == "-u" || word == "--uid") && i+1 < len(c.words); is && number == word {
				number = c.words[i+1]
			}
			if !is || len(number) < 6 || strings.Trim(number, "0123456789") != "" {
				continue
			}
			name := c.span(p, in, 0, 1)
			p.found(in, c.span(p, in, i, i+1), change("Add --no-log-init", source.At(name.End), " --no-log-init", true),
				"for user %s useradd makes a file of up to gigabytes: --no-log-init is missing", number)
		}
	}),
}
