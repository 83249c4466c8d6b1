package effects

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/effects/effectstest"
	"github.com/layerwise/layerwise/analysis/source"
)

// A base image starts in a directory that is not known, but for official ones.
func TestStartsIn(t *testing.T) {
	for image, want := range map[string]string{
		"node": "/", "node:22-alpine": "/", "docker.io/library/python:3.12": "/", "library/debian@sha256:" +
			strings.Repeat("0", 64): "/", "golang:1.22": "/go", "scratch": "/",
		"node:8-onbuild": "", "python:3-windowsservercore": "", "someone/node": "", "example.com/node": "",
		"php:8-apache": "", "$BASE": "", "node-red": "",
	} {
		file := dockerfile.Parse(source.New("FROM "+image+"\nCOPY a b\n"), nil)
		if got := Stage(file, file.Stages[0], nil, nil)[1].Cwd; got != want {
			t.Errorf("%s: %q, want %q", image, got, want)
		}
	}
}

// Two instructions that stand one below the other may change places, or not, and what that rests upon.
func TestIndependent(t *testing.T) {
	context := effectstest.Files{
		"a.txt": "a", "src/main.js": "x", "src/lib/util.js": "x", "docs/readme": "x",
		"package.json": `{"name": "x"}`, "package-lock.json": `{"lockfileVersion":3}`, "requirements.txt": "flask\n",
		"go.mod": "module x\n\ngo 1.24\n", "go.sum": "", "local.txt": "./src\n",
	}
	const no, yes, fact = "no", "proved", "likely"
	tests := []struct {
		prose string
		above string // the lines that stand above both
		a, b  string
		want  string
	}{
		{"two files into one directory", "", "COPY a.txt /x/", "COPY docs/readme /x/", yes},
		{"a pattern that may match more elsewhere", "", "COPY [ar]* /x/", "COPY docs/readme /x/", fact},
		{"a pattern that may match a directory with such a file", "", "COPY a* /x/", "COPY docs/readme /x/", fact},
		{
			"two files to two places, which may be directories of the base image",
			"",
			"COPY a.txt /x/a",
			"COPY docs/readme /x/b",
			fact,
		},
		{"two files to one place", "", "COPY a.txt /x", "COPY docs/readme /x", no},
		{"a directory and a file within it", "", "COPY src /x/", "COPY a.txt /x/main.js", no},
		{"a directory, and a file that lies elsewhere", "", "COPY src /x/", "COPY a.txt /y/a", fact},
		{"a command that is not known", "", "RUN ./configure", "COPY a.txt /a", no},
		{"a script of the context", "", "COPY a.txt /a", "RUN sh /setup.sh", no},
		{
			"system packages and the project's files",
			"",
			"COPY a.txt /app/a",
			"RUN apt-get update && apt-get install -y git",
			fact,
		},
		{
			"system packages and a file where they write",
			"",
			"COPY a.txt /etc/a",
			"RUN apt-get update && apt-get install -y git",
			no,
		},
		{"a variable and a command that may use it", "", "ENV A=1", "RUN echo $A > /a", no},
		{"a variable and a command that sees all variables", "", "ENV A=1", "RUN ./build", no},
		{"a variable and a COPY that does not use it", "", "ENV A=1", "COPY a.txt /a", yes},
		{"a variable and a COPY that does", "", "ENV A=/x", "COPY a.txt $A", no},
		{"the directory and a relative path", "", "WORKDIR /x", "COPY a.txt .", no},
		{"the user and a command", "", "USER 1000", "RUN mkdir /tmp/x", no},
		{"a label and a command", "", "LABEL a=b", "RUN mkdir /x", fact},
		{
			"an install and a source that it does not read",
			"WORKDIR /app\nCOPY package.json package-lock.json ./\n",
			"COPY src ./src",
			"RUN npm ci",
			fact,
		},
		{"an install and its manifest", "WORKDIR /app\n", "COPY package.json package-lock.json ./", "RUN npm ci", no},
		{
			"an install of Python packages, and its requirements",
			"WORKDIR /app\n",
			"COPY requirements.txt .",
			"RUN pip install -r requirements.txt",
			no,
		},
		{
			"an install of Python packages, and sources",
			"WORKDIR /app\nCOPY requirements.txt .\n",
			"COPY src ./src",
			"RUN pip install -r requirements.txt",
			fact,
		},
		{"an install of the project itself", "WORKDIR /app\n", "COPY src ./src", "RUN pip install .", no},
		{
			"Go's modules and sources",
			"WORKDIR /app\nCOPY go.mod go.sum ./\n",
			"COPY src ./src",
			"RUN go mod download",
			fact,
		},
		{"a Go build and sources", "WORKDIR /app\nCOPY go.mod go.sum ./\n", "COPY src ./src", "RUN go build ./...", no},
		{"a file that is removed, and a directory that has it", "", "COPY src /app/", "RUN rm /app/main.js", no},
		{
			"a file that is removed, and a directory that may have it elsewhere, such as .git",
			"",
			"COPY . /app/",
			"RUN rm -rf /app/.git",
			no,
		},
		{
			"a file that is looked at, and a directory that may have it",
			"",
			"COPY . /app/",
			"RUN test ! -e /app/local.env",
			no,
		},
		{
			"a file that is edited in place, and a directory that may have it",
			"",
			"COPY . /app/",
			"RUN sed -i s/a/b/ /app/settings.ini",
			no,
		},
		{
			"packages of the system, and a file in /tmp",
			"",
			"COPY requirements.txt /tmp/",
			"RUN apt-get update && apt-get install -y git",
			fact,
		},
		{
			"packages of the system, and a file in /tmp that goes with them",
			"",
			"COPY requirements.txt /tmp/",
			"RUN apt-get install -y git && rm -rf /tmp/*",
			no,
		},
		{"a package in /tmp", "", "COPY a.txt /tmp/a.deb", "RUN apt-get install -y /tmp/a.deb", no},
		{"the directory that an official image starts in", "", "COPY a.txt a", "COPY docs/readme /b", fact},
		{"the same place by a relative path", "", "COPY a.txt a", "COPY docs/readme /a", no},
		{"below a relative WORKDIR", "WORKDIR x\n", "COPY a.txt a", "COPY docs/readme /x/a", no},
		{"values that are compared", "ARG A\n", "COPY a.txt /x/a", `RUN [ "$A" = yes ] || mkdir /y`, fact},
		{"a value that may be several words", "ARG A\n", "COPY a.txt /x/a", "RUN [ $A = yes ] || mkdir /y", no},
		{"a value that may be an operator", "ARG A\n", "COPY a.txt /x/a", `RUN [ "$A" /x/a ] || mkdir /y`, no},
		{"a file that is looked for", "", "COPY a.txt /x/a", "RUN [ -f /x/a ] || mkdir /y", no},
		{"a file that is removed elsewhere", "", "COPY src /app/", "RUN rm -f /var/tmp/x", fact},
		{
			"an install that mounts its manifest, and sources",
			"WORKDIR /app\n",
			"COPY src ./src",
			"RUN --mount=type=bind,source=requirements.txt,target=/tmp/requirements.txt pip install -r " +
				"/tmp/requirements.txt",
			fact,
		},
		{
			"... with relative targets",
			"WORKDIR /app\n",
			"COPY src ./src",
			"RUN --mount=type=bind,source=package.json,target=package.json " +
				"--mount=type=bind,source=package-lock.json,target=package-lock.json npm ci",
			fact,
		},
		{
			"... and the same manifest",
			"WORKDIR /app\n",
			"COPY package.json ./",
			"RUN --mount=type=bind,source=package.json,target=package.json " +
				"--mount=type=bind,source=package-lock.json,target=package-lock.json npm ci",
			no,
		},
		{
			"... where only one of its files is mounted, so that the other one is the image's",
			"WORKDIR /app\n",
			"COPY package-lock.json ./",
			"RUN --mount=type=bind,source=package.json,target=package.json npm ci",
			no,
		},
		{
			"a manifest that is mounted where another one was copied: the mounted one counts",
			"WORKDIR /app\nCOPY requirements.txt /tmp/requirements.txt\n",
			"COPY src ./src",
			"RUN --mount=type=bind,source=local.txt,target=/tmp/requirements.txt pip install -r /tmp/requirements.txt",
			no,
		},
		{
			"a mount that is over when the next command comes",
			"WORKDIR /app\nCOPY requirements.txt .\nRUN --mount=type=bind,source=local.txt,target=requirements.txt " +
				"true\n",
			"COPY src ./src",
			"RUN pip install -r requirements.txt",
			no,
		},
		{
			"system packages with the whole context at hand",
			"WORKDIR /app\n",
			"COPY src ./src",
			"RUN --mount=type=bind,target=/mnt apt-get update",
			fact,
		},
		{
			"a command that reads what is mounted, perhaps by a link",
			"WORKDIR /app\n",
			"COPY src ./src",
			"RUN --mount=type=bind,target=/mnt cp -r /mnt/docs /docs",
			no,
		},
		{
			"a tool of another image",
			"WORKDIR /app\n",
			"COPY src ./src",
			"RUN --mount=from=tools,source=/bin/x,target=/usr/local/bin/x mkdir /x",
			fact,
		},
		{
			"a directory of another stage where the manifests are",
			"WORKDIR /app\nCOPY package.json package-lock.json ./\n",
			"COPY src ./src",
			"RUN --mount=from=other,target=/app npm ci",
			no,
		},
		{
			"a directory in memory where the manifests are",
			"WORKDIR /app\nCOPY package.json package-lock.json ./\n",
			"COPY src ./src",
			"RUN --mount=type=tmpfs,target=/app npm ci",
			no,
		},
		{
			"a directory in memory elsewhere",
			"WORKDIR /app\nCOPY package.json package-lock.json ./\n",
			"COPY src ./src",
			"RUN --mount=type=tmpfs,target=/tmp npm ci",
			fact,
		},
		{
			"an agent for ssh",
			"WORKDIR /app\nCOPY package.json package-lock.json ./\n",
			"COPY src ./src",
			"RUN --mount=type=ssh npm ci",
			fact,
		},
		{
			"a mount point, and a file that comes there",
			"",
			"COPY a.txt /x/a",
			"RUN --mount=type=bind,source=a.txt,target=/x/a mkdir /y",
			no,
		},
		{
			"a directory that a mount point may leave, and another owner",
			"",
			"COPY --chown=1 a.txt /x/a",
			"RUN --mount=type=bind,source=a.txt,target=/x/b mkdir /y",
			no,
		},
		{
			"a source that is not there",
			"",
			"COPY a.txt /x/a",
			"RUN --mount=type=bind,source=none.txt,target=/z mkdir /y",
			no,
		},
		{
			"a mount whose flag has a variable",
			"ARG T=/z\n",
			"COPY a.txt /x/a",
			"RUN --mount=type=bind,source=a.txt,target=$T mkdir /y",
			no,
		},
	}
	for _, test := range tests {
		file := dockerfile.Parse(source.New("FROM debian\n"+test.above+test.a+"\n"+test.b+"\n"), nil)
		effects := Stage(file, file.Stages[0], nil, context)
		n := len(effects)
		facts, ok := Independent(&effects[n-2], &effects[n-1])
		got := no
		switch {
		case ok && len(facts) == 0:
			got = yes
		case ok:
			got = fact
		}
		if got != test.want {
			t.Errorf("%s: %q and %q: %s (%v), want %s", test.prose, test.a, test.b, got, facts, test.want)
		}
	}
}

// A directory that is empty now may hold something in another working tree: a command that is not known stays below.
func TestEmptyDirectory(t *testing.T) {
	for run, want := range map[string]bool{"make": false, "./x": false, "mkdir -p /data": true} {
		file := dockerfile.Parse(source.New("FROM debian:12\nCOPY . /app/\nRUN "+run+"\n"), nil)
		all := Stage(file, file.Stages[0], nil, effectstest.Files{})
		if _, ok := Independent(&all[1], &all[2]); ok != want {
			t.Errorf("COPY of an empty directory and RUN %s: independent is %v", run, ok)
		}
	}
}

// Values that double from line to line, or in one word, are not known soon, and take no memory.
func TestLongValues(t *testing.T) {
	var double strings.Builder
	for i := range 40 {
		fmt.Fprintf(&double, "ENV A%d=$A%d$A%d\n", i+1, i, i)
	}
	for _, text := range []string{
		"ENV A0=/x\n" + double.String() + "WORKDIR $A40\n",
		"ENV A=/" + strings.Repeat("x", 4000) + "\nWORKDIR " + strings.Repeat("$A", 30_000) + "\n",
	} {
		file := dockerfile.Parse(source.New("FROM scratch\n"+text), nil)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		Stage(file, file.Stages[0], nil, nil)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
			t.Errorf("%.30q: %d MB", text, n>>20)
		}
	}
}
