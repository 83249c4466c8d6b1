package reference_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/reference"
	"github.com/layerwise/layerwise/analysis/scope"
	"github.com/layerwise/layerwise/analysis/source"
)

// The tables have each instruction and flag that the document model, and so BuildKit's parser, knows, and no other.
func TestComplete(t *testing.T) {
	var names []string
	for _, in := range reference.Instructions {
		names = append(names, in.Name)
		var flags []string
		for _, f := range in.Flags {
			flags = append(flags, f.Name)
		}
		want := dockerfile.FlagNames(in.Name)
		slices.Sort(want)
		slices.Sort(flags)
		if !slices.Equal(flags, want) {
			t.Errorf("%s: flags %v, but BuildKit has %v", in.Name, flags, want)
		}
	}
	if !slices.Equal(names, dockerfile.Keywords()) {
		t.Errorf("instructions %v", names)
	}
	for name := range scope.PlatformDefaults {
		if e := reference.Find(reference.PredefinedArgs, name); e == nil || !reference.FromArg(e) {
			t.Errorf("the platform argument %s is not described", name)
		}
	}
}

// Each key and type of mount is one that BuildKit takes; each value of a mount's key that is said to be one of few is
// too.
func TestMounts(t *testing.T) {
	accepts := func(mount string) bool {
		file := dockerfile.Parse(source.New("FROM a\nRUN --mount="+mount+" x\n"), nil)
		return len(file.Problems) == 0 && file.Instructions[1].Command != nil
	}
	if accepts("type=nonsense,target=/x") || accepts("type=cache,target=/x,sharing=nonsense") {
		t.Fatal("nonsense is accepted: this test cannot fail")
	}
	for _, m := range reference.Mounts {
		for _, key := range m.Keys {
			for _, name := range append([]string{key.Name}, key.Aliases...) {
				for _, value := range append(slices.Clone(key.Values), reference.Entry{Name: key.Value}) {
					mount := "type=" + m.Name + "," + name
					if value.Name != "" {
						mount += "=" + value.Name
					}
					if key.Name != "target" && m.Name != "secret" && m.Name != "ssh" {
						mount += ",target=/x"
					}
					if key.Name == "id" || key.Name == "source" || m.Name != "secret" ||
						strings.HasPrefix(name, "target") {
					} else {
						mount += ",id=x"
					}
					if !accepts(mount) {
						t.Errorf("BuildKit does not take --mount=%s", mount)
					}
				}
			}
		}
	}
}

// BuildKit's source has the keys of mounts in a switch: each of its cases is described for some type.
func TestMountKeys(t *testing.T) {
	for _, name := range []string{
		"from", "source", "src", "target", "dst", "destination", "readonly", "ro", "readwrite", "rw", "id", "sharing",
		"required", "size", "mode", "uid", "gid", "env",
	} {
		if !slices.ContainsFunc(reference.Mounts, func(m reference.Mount) bool { return m.Key(name) != nil }) {
			t.Errorf("the mount key %s is not described", name)
		}
	}
	for _, kind := range []string{"bind", "cache", "tmpfs", "secret", "ssh"} {
		if reference.Find(reference.MountType.Values, kind) == nil {
			t.Errorf("the mount type %s is not described", kind)
		}
	}
}

// Examples are right, every entry says something, and links lead into the reference.
func TestEntries(t *testing.T) {
	link := regexp.MustCompile(`^https://docs\.docker\.com/reference/dockerfile/#[a-z-]+$`)
	check := func(t *testing.T, e reference.Entry) {
		t.Helper()
		if e.Summary == "" || strings.HasSuffix(e.Summary, ".") {
			t.Errorf("%s: summary %q", e.Name, e.Summary)
		}
		if u := e.URL(); u != "" && !link.MatchString(u) {
			t.Errorf("%s: link %s", e.Name, u)
		}
		if e.Example == "" {
			return
		}
		text := e.Example
		if !strings.Contains(text, "FROM") {
			text = "FROM a\n" + text
		}
		text = strings.ReplaceAll(text, "24454f83…", strings.Repeat("0", 64))
		text = regexp.MustCompile(`(?m)^FROM (\S+ )?(\S+)( AS \S+)?$`).ReplaceAllString(text, "$0")
		for _, p := range dockerfile.Parse(source.New(text), nil).Problems {
			if p.Kind != dockerfile.NoStage {
				t.Errorf("%s: the example has a problem: %s\n%s", e.Name, p.Message, text)
			}
		}
	}
	for _, in := range reference.Instructions {
		check(t, in.Entry)
		if in.Text == "" || in.Example == "" || in.URL() == "" || len(in.Syntax) == 0 || len(in.Snippets) == 0 {
			t.Errorf("%s is not described in full", in.Name)
		}
		for _, f := range in.Flags {
			check(t, f)
			if f.Text == "" || f.URL() == "" || len(f.Syntax) == 0 {
				t.Errorf("%s --%s is not described in full", in.Name, f.Name)
			}
		}
		for _, s := range in.Syntax {
			for _, p := range reference.Parameters(s) {
				if in.Words[s[p[0]:p[1]]] == "" {
					t.Errorf("%s: %q does not say what %q is", in.Name, s, s[p[0]:p[1]])
				}
			}
		}
	}
	for _, m := range reference.Mounts {
		check(t, m.Entry)
		for _, k := range m.Keys {
			check(t, k)
		}
	}
	for _, list := range [][]reference.Entry{reference.Directives, reference.PredefinedArgs, reference.Signals,
		reference.Protocols, reference.Shells, reference.Platforms, reference.Modifiers, reference.LabelKeys,
		reference.Secrets} {
		for _, e := range list {
			check(t, e)
		}
	}
}

// The parameters of a form are its words, with the brackets of a JSON array as words of their own.
func TestParameters(t *testing.T) {
	for syntax, want := range map[string]string{
		`COPY [flags] [ "source", ..., "dest" ]`: `[flags]|[|"source"|...|"dest"|]`,
		"ENV key=value key2=value2":              "key|value|key2|value2",
		"FROM baseImage@digest AS stage":         "baseImage|digest|AS|stage",
		"--chown=user:group":                     "user|group",
	} {
		var got []string
		for _, p := range reference.Parameters(syntax) {
			got = append(got, syntax[p[0]:p[1]])
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %q, want %s", syntax, got, want)
		}
	}
}
