package dockerfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
)

// TestMounts holds the division of --mount flags: how each part is written in the file, what it says, and what BuildKit
// reads.
func TestMounts(t *testing.T) {
	for _, c := range []struct{ why, run, want string }{
		{"plain", "RUN --mount=type=cache,target=/c true", `cache [type|cache target|/c] cache "" "" /c`},
		{"no type is bind, aliases have one " +
			"name", "RUN --mount=from=b,src=/a,dst=/x true", `bind [from|b source|/a target|/x] bind b /a /x`},
		{"keys and types in any " +
			"case", "RUN --mount=TYPE=Bind,FROM=b,Destination=/x " +
			"true", `bind [type|Bind from|b target|/x] bind b "" /x`},
		{"keys without a " +
			"value", "RUN --mount=type=secret,id=s,required " +
			"true", `secret [type|secret id|s required] secret "" "" ""`},
		{"the last of two " +
			"counts", "RUN --mount=target=/a,from=x,from=y true", `bind [target|/a from|x from|y] bind y "" /a`},
		{"a variable decides: BuildKit's reading is not " +
			"known", "RUN --mount=type=$T,target=/c,from=b true", ` [type|$T target|/c from|b] ?`},
		{"a variable elsewhere", "RUN --mount=type=cache,target=${D:-/c} true", `cache [type|cache target|${D:-/c}] ?`},
		{"half typed", "RUN --mount=type=bind,from=", `bind [type|bind from|] bind "" "" ""`},
		{"half typed key", "RUN --mount=type=cache,tar", `cache [type|cache tar] ?`},
		{"an unknown type", "RUN --mount=type=Volume,target=/x true", `volume [type|Volume target|/x] ?`},
		{"misspelt, but clear", "RUN --mount=typ=cache,target=/x true", `cache [typ|cache target|/x] cache "" "" /x`},
		{"the flag's name is " +
			"misspelt", "RUN --mout=type=cache,target=/x true", `cache [type|cache target|/x] cache "" "" /x`},
		{"quoted as a " +
			"whole", `RUN --mount="type=cache,target=/a b" true`, `cache [type|cache target|/a b] cache "" "" /a b`},
		{"a comma within quotes of the " +
			"list", `RUN --mount=type=cache,'"target=/a,b"' true`, `cache [type|cache target|/a,b] cache "" "" /a,b`},
		{"over lines", "RUN --mount=type=cache,\\\n  target=/x true", `cache [type|cache ] ?`},
		{"glued over lines", "RUN --mount=type=cache,\\\ntarget=/x " +
			"true", `cache [type|cache target|/x] cache "" "" /x`},
		{"within ONBUILD", "ONBUILD RUN --mount=from=b,target=/x true", `bind [from|b target|/x] bind b "" /x`},
		{"a broken command", "RUN --mount=from=b,target=/x --nosuch=1 true", `bind [from|b target|/x] bind b "" /x`},
		{"two", "RUN --mount=target=/x --network=none --mount=type=tmpfs,target=/y true",
			`bind [target|/x] bind "" "" /x; tmpfs [type|tmpfs target|/y] tmpfs "" "" /y`},
		{"none", "RUN --network=none true", ""},
		{"another instruction", "COPY --from=a b c", ""},
	} {
		f := dockerfile.Parse(source.New("FROM a\n"+c.run+"\n"), nil)
		var got []string
		for _, m := range f.Instructions[1].Mounts() {
			var fields []string
			for _, field := range m.Fields {
				text := field.Name()
				if field.HasValue {
					text += "|" + field.Value.Text
				}
				fields = append(fields, text)
				if raw := f.Text.Slice(field.Key.Span); !strings.EqualFold(raw, field.Key.Text) {
					t.Errorf("%s: the key %q is at %q", c.why, field.Key.Text, raw)
				}
				if raw := f.Text.Slice(field.Value.Span); raw != field.Value.Text {
					t.Errorf("%s: the value %q is at %q", c.why, field.Value.Text, raw)
				}
			}
			text := fmt.Sprintf("%s %v ", m.Type(), fields)
			if m.Parsed == nil {
				text += "?"
			} else {
				p := []string{string(m.Parsed.Type), m.Parsed.From, m.Parsed.Source, m.Parsed.Target}
				for i := range p {
					if p[i] == "" {
						p[i] = `""`
					}
				}
				text += strings.Join(p, " ")
			}
			got = append(got, text)
		}
		if text := strings.Join(got, "; "); text != c.want {
			t.Errorf("%s: %s\n got %s\nwant %s", c.why, c.run, text, c.want)
		}
	}
}

// TestStage holds which stage a name means, by what names it.
func TestStage(t *testing.T) {
	f := dockerfile.Parse(source.New("FROM a AS one\nFROM b AS Two\nFROM c AS one\nFROM d\n"), nil)
	for _, c := range []struct {
		why  string
		name string
		use  dockerfile.StageUse
		at   int
		want int
	}{
		{"FROM: the last above of the name", "one", dockerfile.ByFrom, 3, 2},
		{"FROM: not a later one", "one", dockerfile.ByFrom, 2, 0},
		{"FROM: not itself", "one", dockerfile.ByFrom, 0, -1},
		{"FROM: the name is kept in lower case", "two", dockerfile.ByFrom, 3, 1},
		{"FROM: and is not looked up in another case", "Two", dockerfile.ByFrom, 3, -1},
		{"FROM: no number", "0", dockerfile.ByFrom, 3, -1},
		{"COPY: in any case", "TWO", dockerfile.ByCopy, 3, 1},
		{"COPY: the last of the file, though it stands below", "one", dockerfile.ByCopy, 1, 2},
		{"COPY: a number", "1", dockerfile.ByCopy, 3, 1},
		{"COPY: a number as strconv reads it", "+01", dockerfile.ByCopy, 3, 1},
		{"COPY: no such number", "4", dockerfile.ByCopy, 3, -1},
		{"COPY: no such number", "-1", dockerfile.ByCopy, 3, -1},
		{"COPY: an image", "nginx", dockerfile.ByCopy, 3, -1},
		{"a mount: in any case", "tWo", dockerfile.ByMount, 3, 1},
		{"a mount: no number", "1", dockerfile.ByMount, 3, -1},
		{"target: in any case", "Two", dockerfile.ByTarget, 0, 1},
		{"target: no number", "0", dockerfile.ByTarget, 0, -1},
		{"target: no stage without a name", "", dockerfile.ByTarget, 0, -1},
	} {
		if got := f.Stage(c.name, c.use, c.at); got != c.want {
			t.Errorf("%s: %q in stage %d means %d, want %d", c.why, c.name, c.at, got, c.want)
		}
	}
}

// TestStageReferences holds what names stages and images in a file, and where.
func TestStageReferences(t *testing.T) {
	f := dockerfile.Parse(
		source.New(
			"FROM a AS b\nFROM B AS c\nFROM b\nCOPY --from=B x y\nCOPY --from=\"c\" x y\nCOPY --from=0 x y\nCOPY "+
				"--form=b x y\n"+
				"RUN --mount=FROM=biuld,target=/x --mount=type=cache,from=c,target=/y true\nRUN "+
				"--mount=from=1,target=/x true\nONBUILD COPY --from=c x y\nCOPY --from=$V x y\nCOPY --from= x y\n",
		),
		nil,
	)
	var got []string
	for _, r := range f.StageReferences() {
		text := fmt.Sprintf("%d %s %d", r.In.Line, r.Word.Text, r.Stage)
		if r.Variable {
			text += " variable"
		}
		got = append(got, text)
		if raw := f.Text.Slice(r.Word.Span); raw != r.Word.Text {
			t.Errorf("%q is at %q", r.Word.Text, raw)
		}
	}
	want := "1 a -1; 2 B -1; 3 b 0; 4 B 0; 5 c 1; 6 0 0; 7 b 0; 8 biuld -1; 8 c 1; 9 1 -1; 10 c 1; 11 $V -1 variable"
	if text := strings.Join(got, "; "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

// TestKindOfSource holds what sources of ADD are.
func TestKindOfSource(t *testing.T) {
	for src, want := range map[string]dockerfile.SourceKind{
		"a":                                   dockerfile.PathSource,
		"./a.git":                             dockerfile.PathSource,
		"a:b":                                 dockerfile.PathSource,
		"github.com/a/b":                      dockerfile.PathSource,
		"user.name@h:p":                       dockerfile.PathSource, // no user of git's
		"./git@h:p":                           dockerfile.PathSource,
		"ftp://h/a":                           dockerfile.PathSource,
		"HTTPS://h/a":                         dockerfile.PathSource,
		"http://h/a":                          dockerfile.URLSource,
		"https://github.com/a/b":              dockerfile.URLSource,
		"https://h/a.git":                     dockerfile.GitSource,
		"HTTPS://github.com/a/b.git":          dockerfile.GitSource,
		"https://h/a.git#main:sub":            dockerfile.GitSource,
		"https://h/a.git?nosuch=1":            dockerfile.GitSource, // which BuildKit rejects
		"git@github.com:a/b":                  dockerfile.GitSource,
		"user_1@h:p":                          dockerfile.GitSource,
		"git://h/a":                           dockerfile.GitSource,
		"ssh://git@h/a":                       dockerfile.GitSource,
		"https://h/a.git%zz":                  dockerfile.URLSource,
		"https://user:secret@h/a.tar.gz":      dockerfile.URLSource,
		"https://github.com/a/b/archive/v.gz": dockerfile.URLSource,
	} {
		if got := dockerfile.KindOfSource(src); got != want {
			t.Errorf("%s is %d, want %d", src, got, want)
		}
	}
}
