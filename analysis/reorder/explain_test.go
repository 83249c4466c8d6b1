package reorder

import (
	"strings"
	"testing"
)

// Why a RUN stays where it is, with the fact that would change it.
func TestExplain(t *testing.T) {
	lock := `{"lockfileVersion":3}`
	for _, test := range []struct {
		prose, text string
		context     files
		below       int
		want        string
	}{
		{"workspaces", npmProject, files{"package.json": `{"workspaces":["a"]}`, "package-lock.json": lock}, 3,
			"no package of the workspaces is there"},
		{"a script", npmProject, files{"package.json": `{"scripts":{"prepare":"x"}}`, "package-lock.json": lock}, 3,
			`has a script "prepare"`},
		{"no lock file", npmProject, files{"package.json": `{}`}, 3, "there is no package-lock.json"},
		{"modules in the " +
			"context", npmProject, files{"package.json": `{}`, "package-lock.json": lock, "node_modules/a/b": ""}, 3,
			"Add it to .dockerignore"},
		{"what nobody knows", "FROM debian:12\nCOPY . .\nRUN make install\n", nil, 2, "make is not in the table"},
		{"a program of the " +
			"project", "FROM debian:12\nCOPY . .\nRUN ./build.sh install\n", nil, 2, "may be the project's own"},
		{"a variable", "FROM node:22\nENV NODE_OPTIONS=-r=x\nWORKDIR /app\nCOPY . .\nRUN npm " +
			"ci\n", files{"package.json": "{}", "package-lock.json": lock}, 4, "NODE_OPTIONS"},
		{"a manifest of its " +
			"own", "FROM python:3.12\nWORKDIR /app\nCOPY requirements.txt .\nRUN pip install -r " +
			"requirements.txt\n", files{"requirements.txt": "a"}, 3, "requirements.txt"},
		{"a script of the project", npmProject[:strings.Index(npmProject, "RUN")] + "RUN npm run build\n",
			files{"package.json": `{}`}, 3, "runs what the project holds"},
		{"the project lies in a directory of the system", "FROM node:22\nWORKDIR /usr/local/app\n" +
			"COPY package*.json ./\nRUN npm ci && mv node_modules /node_modules\n",
			files{"package.json": "{}", "package-lock.json": lock}, 3, "it needs or changes /usr/local/"},
		{"nothing above", "FROM debian:12\nRUN apt-get install -y x\n", nil, 0, "above all copies"},
	} {
		reasons := Explain(parse(test.text), test.context.model())
		if len(reasons) != 1 || reasons[0].Below != test.below || !strings.Contains(reasons[0].Why, test.want) {
			t.Errorf("%s: %+v, want %q below line %d", test.prose, reasons, test.want, test.below)
		}
	}
}
