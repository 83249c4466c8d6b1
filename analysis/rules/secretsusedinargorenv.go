package rules

import (
	"strings"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/secret"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// SecretsUsedInArgOrEnv finds ARG and ENV with the name of a secret.
var SecretsUsedInArgOrEnv = &Rule{
	ID:       "SecretsUsedInArgOrEnv",
	Severity: analysis.Warning,
	BuildKit: buildKitPage + "secrets-used-in-arg-or-env/",
	Doc: Doc{
		Summary: "An ARG or ENV holds a secret, by its name",
		What: "Finds names such as `API_KEY`, `GITHUB_TOKEN` or `db_password`. Names with the words `public`, " +
			"`file` or `version` are let through.",
		Why: "The values of ARG and ENV stay in the image's history and configuration, where everyone who has " +
			"the image can read them. A secret mount leaves no trace.",
		Example: "FROM alpine\nARG GITHUB_TOKEN\nRUN wget --header \"Authorization: $GITHUB_TOKEN\" " +
			"https://example.com/x\n",
		Instead: "FROM alpine\nRUN --mount=type=secret,id=github,env=GITHUB_TOKEN wget --header \"Authorization: " +
			"$GITHUB_TOKEN\" https://example.com/x\n",
	},
	check: checkSecretsUsedInArgOrEnv,
}

func checkSecretsUsedInArgOrEnv(p *pass) {
	report := func(in *dockerfile.Instruction, i int, key string) {
		if !secret.Name(key) {
			return
		}
		span := in.ArgsSpan
		if i < len(in.Args) {
			span = in.Args[i].Span
		}
		if strings.HasPrefix(p.Text.Slice(span), key) { // but for quotes and continuations
			span.End = span.Start + len(key)
		}
		p.found(in, source.Between(span.Start, span.End), nil,
			"do not use ARG or ENV instructions for sensitive data (%s %q)", in.Meant, key)
	}
	for _, in := range p.of("ENV") {
		if c, ok := in.Command.(*instructions.EnvCommand); ok && in.Stage >= 0 {
			for i, e := range c.Env {
				report(in, i, e.Key)
			}
		}
	}
	for _, in := range p.of("ARG") {
		// BuildKit does not look at those above the first FROM, which stay out of the image.
		if c, ok := in.Command.(*instructions.ArgCommand); ok && in.Stage >= 0 {
			for i, a := range c.Args {
				report(in, i, a.Key)
			}
		}
	}
}
