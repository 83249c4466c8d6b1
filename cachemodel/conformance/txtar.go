package conformance

import (
	"bufio"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/txtar"
)

// Case is a sequence of builds that share one cache, each an edit of the one before.
type Case struct {
	Name   string
	Prose  string // why the case is kept
	Builds []Build
}

// ParseCase reads a case from a txtar archive. The comment is prose. A/, B/, C/... hold the contexts of the builds, in
// order, A.extra/ the named context, and the files A.build, B.build... what a directory tree cannot: one setting per
// line of
//
//	file NAME | arg KEY=VALUE | target NAME | platform P | no-cache | mode PATH OCTAL | dir PATH OCTAL | link PATH TARGET | touched PATH N
//	nonewline PATH (the file's last newline is the archive's) | crlf PATH (its lines end in CRLF)
func ParseCase(name string, data []byte) (Case, error) {
	a := txtar.Parse(data)
	c := Case{Name: name, Prose: strings.TrimSpace(string(a.Comment))}
	for letter := 'A'; letter <= 'Z'; letter++ {
		b := Build{Name: "Dockerfile", Files: map[string]File{}, Args: map[string]string{}}
		found := false
		var settings string
		for _, f := range a.Files {
			if p, ok := strings.CutPrefix(f.Name, string(letter)+"/"); ok {
				found = true
				b.Files[p] = File{Mode: 0o644, Data: string(f.Data)}
			}
			if p, ok := strings.CutPrefix(f.Name, string(letter)+".extra/"); ok {
				if b.Extra == nil {
					b.Extra = map[string]File{}
				}
				b.Extra[p] = File{Mode: 0o644, Data: string(f.Data)}
			}
			if f.Name == string(letter)+".build" {
				settings = string(f.Data)
			}
		}
		if !found {
			break
		}
		if err := b.apply(settings); err != nil {
			return c, fmt.Errorf("%s: %c.build: %w", name, letter, err)
		}
		df, ok := b.Files[b.Name]
		if !ok {
			return c, fmt.Errorf("%s: %c/%s is missing", name, letter, b.Name)
		}
		b.Dockerfile = df.Data
		delete(b.Files, b.Name)
		c.Builds = append(c.Builds, b)
	}
	if len(c.Builds) < 2 {
		return c, fmt.Errorf("%s: want the files of at least two builds, A/ and B/", name)
	}
	return c, nil
}

func (b *Build) apply(settings string) error {
	sc := bufio.NewScanner(strings.NewReader(settings))
	for sc.Scan() {
		f := strings.SplitN(sc.Text(), " ", 3)
		for len(f) < 3 {
			f = append(f, "")
		}
		file := b.Files[f[1]]
		perm, permErr := strconv.ParseUint(f[2], 8, 12)
		switch f[0] {
		case "":
			continue
		case "file":
			b.Name = f[1]
			continue
		case "arg":
			k, v, _ := strings.Cut(strings.TrimPrefix(sc.Text(), "arg "), "=")
			b.Args[k] = v
			continue
		case "target":
			b.Target = f[1]
			continue
		case "platform":
			b.Platform = f[1]
			continue
		case "no-cache":
			b.NoCache = true
			continue
		case "mode":
			if permErr != nil {
				return permErr
			}
			file.Mode = fs.FileMode(perm)
		case "dir":
			if permErr != nil {
				return permErr
			}
			file = File{Mode: fs.ModeDir | fs.FileMode(perm)}
		case "link":
			file = File{Mode: fs.ModeSymlink | 0o777, Link: f[2]}
		case "touched":
			n, err := strconv.Atoi(f[2])
			if err != nil {
				return err
			}
			file.Touched = n
		case "nonewline":
			file.Data = strings.TrimSuffix(file.Data, "\n")
		case "crlf":
			file.Data = strings.ReplaceAll(file.Data, "\n", "\r\n")
		default:
			return fmt.Errorf("unknown setting %q", sc.Text())
		}
		b.Files[f[1]] = file
	}
	return nil
}

// Format is the inverse of ParseCase.
func (c Case) Format() []byte {
	a := &txtar.Archive{Comment: []byte(c.Prose + "\n")}
	for i, b := range c.Builds {
		letter := string(rune('A' + i))
		var set []string
		if b.Name != "Dockerfile" {
			set = append(set, "file "+b.Name)
		}
		for _, k := range slices.Sorted(maps.Keys(b.Args)) {
			set = append(set, "arg "+k+"="+b.Args[k])
		}
		if b.Target != "" {
			set = append(set, "target "+b.Target)
		}
		if b.Platform != "" {
			set = append(set, "platform "+b.Platform)
		}
		if b.NoCache {
			set = append(set, "no-cache")
		}
		all := b.Context()
		var files []txtar.File
		for _, p := range slices.Sorted(maps.Keys(all)) {
			f := all[p]
			switch {
			case f.Mode.IsDir():
				if f.Mode.Perm() != 0o755 || !hasChild(all, p) {
					set = append(set, fmt.Sprintf("dir %s %o", p, f.Mode.Perm()))
				}
				continue
			case f.Mode&fs.ModeSymlink != 0:
				set = append(set, fmt.Sprintf("link %s %s", p, f.Link))
				continue
			}
			data := f.Data
			if strings.Contains(data, "\r\n") {
				data = strings.ReplaceAll(data, "\r\n", "\n")
				set = append(set, "crlf "+p)
			}
			if data != "" && !strings.HasSuffix(data, "\n") {
				set = append(set, "nonewline "+p)
			}
			if f.Mode.Perm() != 0o644 {
				set = append(set, fmt.Sprintf("mode %s %o", p, f.Mode.Perm()))
			}
			if f.Touched != 0 {
				set = append(set, fmt.Sprintf("touched %s %d", p, f.Touched))
			}
			files = append(files, txtar.File{Name: letter + "/" + p, Data: []byte(data)})
		}
		if len(set) > 0 {
			// nonewline undoes the archive's newline before crlf could hide it
			slices.SortStableFunc(set, func(x, y string) int { return rank(x) - rank(y) })
			a.Files = append(a.Files, txtar.File{Name: letter + ".build", Data: []byte(strings.Join(set, "\n") + "\n")})
		}
		a.Files = append(a.Files, files...)
		for _, p := range slices.Sorted(maps.Keys(b.Extra)) {
			a.Files = append(a.Files, txtar.File{Name: letter + ".extra/" + p, Data: []byte(b.Extra[p].Data)})
		}
	}
	return txtar.Format(a)
}

func rank(setting string) int {
	switch {
	case strings.HasPrefix(setting, "nonewline"):
		return 1
	case strings.HasPrefix(setting, "crlf"):
		return 2
	}
	return 0
}

func hasChild(all map[string]File, dir string) bool {
	for p := range all {
		if path.Dir(p) == dir {
			return true
		}
	}
	return false
}
