package rules

import (
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

func TestMigrateHadolint(t *testing.T) {
	got, err := MigrateHadolint([]byte(`
ignored:
  - DL3000
  - DL9999
  - SC2086
override:
  error: [DL3006, DL3025]
  style: [dl4000]
trustedRegistries: [docker.io]
label-schema:
  maintainer: email
strict-labels: true
`))
	if err != nil {
		t.Fatal(err)
	}
	const want = `preset: hadolint
trustedRegistries:
  - "docker.io"
labelSchema:
  "maintainer": email
strictLabels: true
rules:
  JSONArgsRecommended: error
  MaintainerDeprecated: hint
  WorkdirRelativePath: off
  untagged-image: error
# no rule here is about DL9999
# no rule here is about SC2086
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	opts, err := ParseConfig([]byte(got))
	if err != nil || len(opts.Off) != 1 || opts.Severity["untagged-image"] != analysis.Error ||
		opts.Severity["apt-command"] != analysis.Warning ||
		!slices.Equal(opts.TrustedRegistries, []string{"docker.io"}) {
		t.Error(opts, err)
	}
	if _, err := MigrateHadolint([]byte("ignored: {")); err == nil {
		t.Error("no error")
	}
}

// The preset turns on the rules that hadolint has.
func TestPresetHadolint(t *testing.T) {
	const text = "FROM registry.example.com/debian\nADD app.sh x/\nRUN apt update && apt install -y curl | cat\n"
	for _, c := range []struct {
		about, config string
		want          []string
	}{
		{"nothing of it without a configuration", "", nil},
		{"all with the preset", "preset: hadolint", []string{"add-for-files", "apt-command", "kept-package-cache",
			"missing-pipefail", "recommended-packages", "relative-destination", "unpinned-package", "untagged-image"}},
		{"a rule of the configuration counts more", "rules:\n  unpinned-package: off\npreset: hadolint\n",
			[]string{"add-for-files", "apt-command", "kept-package-cache",
				"missing-pipefail", "recommended-packages", "relative-destination", "untagged-image"}},
		{"a registry that is not trusted", "trustedRegistries: [docker.io]", []string{"untrusted-registry"}},
		{"one that is, by a pattern", "trustedRegistries: ['*.example.com']", nil},
	} {
		opts, err := ParseConfig([]byte(c.config))
		if err != nil {
			t.Fatal(c.about, err)
		}
		var got []string
		for _, f := range Check(dockerfile.Parse(source.New(text), nil), opts) {
			if rule := ByID(f.Rule); rule.OffByDefault {
				got = append(got, f.Rule)
			}
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, not %v", c.about, got, c.want)
		}
	}
	if _, err := ParseConfig([]byte("preset: hadolnt")); err == nil {
		t.Error("an unknown preset is not an error")
	}
}

// What a schema for labels asks for.
func TestLabelSchema(t *testing.T) {
	const config = `
labelSchema:
  org.example.name: text
  org.example.page: url
  org.example.built: rfc3339
  org.example.version: semver
  org.example.commit: hash
  org.example.license: spdx
  org.example.mail: email
`
	const right = `FROM alpine AS base
LABEL org.example.name="A b" org.example.page=https://example.com/x
FROM base
LABEL org.example.built=2026-01-02T03:04:05Z org.example.version=1.2.3-rc.1 org.example.commit=81176d6
LABEL org.example.license="MIT OR Apache-2.0" org.example.mail=a@example.com
`
	for _, c := range []struct {
		about, more, old, new string
		want                  int
	}{
		{about: "all as it is to be"},
		{"one is missing", "", "org.example.mail=", "org.example.post=", 1},
		{"another one is listed nowhere", "strictLabels: true", "org.example.mail=", "org.example.post=", 2},
		{"an address without a scheme", "", "https://", "", 1},
		{"a date without a time", "", "T03:04:05Z", "", 1},
		{"a version of two numbers", "", "1.2.3-rc.1", "1.2", 1},
		{"a branch for a commit", "", "81176d6", "main", 1},
		{"a license of other words", "", "MIT OR Apache", "MIT or Apache", 1},
		{"a name for an address", "", "a@example.com", "a", 1},
		{"nothing", "", "a@example.com", `""`, 1},
		{"a variable", "", "a@example.com", "$MAIL", 0},
		{"capital letters", "", "org.example.mail=", "A=b org.example.mail=", 1},
	} {
		opts, err := ParseConfig([]byte(config + c.more))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(right, c.old, c.new, 1)
		got := 0
		for _, f := range Check(dockerfile.Parse(source.New(text), nil), opts) {
			if f.Rule == LabelSchema.ID {
				got++
			}
		}
		if got != c.want {
			t.Errorf("%s: %d findings, not %d", c.about, got, c.want)
		}
	}
	if _, err := ParseConfig([]byte("labelSchema: {a: number}")); err == nil {
		t.Error("an unknown kind is not an error")
	}
}

// What the rules that are off by default leave alone.
func TestHadolintRulesAreSilent(t *testing.T) {
	for _, text := range []string{
		"RUN apt-get update && apt-get install -y --no-install-recommends curl=7.88 && rm -rf /var/lib/apt/lists/*",
		"RUN pip install --no-cache-dir -r requirements.txt",
		"RUN pip install --no-cache-dir 'flask>=3'",
		"RUN apk add --no-cache \"curl=$VERSION\"",
		"RUN --mount=type=cache,target=/root/.cache/pip pip install flask==3.0",
		"RUN npm install -g corepack@0.31",
		"RUN go install ./cmd/x",
		"RUN go install example.com/x@v1.2.3",
		"RUN gem install rake -v 13",
		"RUN yum install -y ./x.rpm && yum clean all",
		"RUN set -o pipefail && a | b",
		"RUN wget -qO- https://example.com/a && wget --progress=dot https://example.com/a",
		"RUN apt-get upgrade -y && ln -s /bin/bash /bin/other",
		"LABEL org.opencontainers.image.title=a",
		"RUN ./server & pid=$!; sleep 3; kill $pid",
		"RUN if true; then ./server & sleep 3; kill $!; fi",
		"RUN vim +PlugInstall +qall && vim -E -s -c PlugInstall -c qall",
		"RUN --mount=type=ssh ssh -T git@example.com",
		"RUN useradd -u 1000 a && useradd -lu 1000700001 b && useradd --no-log-init --uid=1000700001 c",
		"ADD rootfs.tar.xz /",
		"ADD https://example.com/a /a",
		"ADD --checksum=sha256:24454f830cdb571e2c4ad15481119c43b3cafd48dd869a9b2945d1036d1dc68d https://a.b/c /d",
		"WORKDIR /x\nCOPY a .",
	} {
		opts := Options{Severity: hadolintLevels}
		file := dockerfile.Parse(source.New("FROM alpine:3.22\nRUN true\n"+text+"\nUSER me\n"), nil)
		for _, f := range Check(file, opts) {
			if rule := ByID(f.Rule); rule.OffByDefault {
				t.Errorf("%s: %s: %s", text, f.Rule, f.Message)
			}
		}
	}
}

// kill has a point only where the step has started something: an "&" within quotes starts nothing.
func TestPointlessKill(t *testing.T) {
	opts, err := Options{}.Only(PointlessCommand.ID)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{
		"RUN curl 'https://example.com/?a=1&b=2'; kill 1":   1,
		"RUN if true; then ./server & sleep 3; kill $!; fi": 0,
	} {
		if got := Check(dockerfile.Parse(source.New("FROM alpine\n"+text+"\n"), nil), opts); len(got) != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
