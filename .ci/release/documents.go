package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// documents are the licence, the README, completions for shells and manual pages. The last two come from the program
// itself, built for this machine.
func (r *release) documents() ([]file, error) {
	dir, err := os.MkdirTemp("", "layerwise-docs-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "layerwise")
	build := exec.Command("go", "build", "-o", program, "./cmd/layerwise")
	build.Dir, build.Stderr = r.root, os.Stderr
	if err := build.Run(); err != nil {
		return nil, err
	}
	files, err := r.read("LICENSE", "README.md", "CHANGELOG.md")
	if err != nil {
		return nil, err
	}
	for shell, name := range completions {
		text, err := output("", program, "completion", shell)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, 0o644, []byte(text + "\n")})
	}
	help, err := output("", program, "--help")
	if err != nil {
		return nil, err
	}
	pages := map[string]string{"layerwise": help}
	for _, m := range subcommand.FindAllStringSubmatch(help, -1) {
		if m[1] == "help" || m[1] == "completion" {
			continue
		}
		if pages["layerwise-"+m[1]], err = output("", program, "help", m[1]); err != nil {
			return nil, err
		}
	}
	for name, text := range pages {
		files = append(files, file{"man/man1/" + name + ".1", 0o644, []byte(r.manual(name, text))})
	}
	return files, nil
}

// read reads files of the repository.
func (r *release) read(names ...string) ([]file, error) {
	var files []file
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(r.root, name))
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, 0o644, data})
	}
	return files, nil
}

// notes writes what CHANGELOG.md says of this version, which is what the page of the release shows.
func (r *release) notes() error {
	changes, err := r.read("CHANGELOG.md")
	if err != nil {
		return err
	}
	_, text, found := strings.Cut(string(changes[0].data), "\n## "+r.version+"\n")
	if !found {
		return fmt.Errorf("CHANGELOG.md has no heading for %s", r.version)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return r.write("NOTES.md", []byte(strings.TrimSpace(text)+"\n"), nil)
}

var completions = map[string]string{
	"bash": "completions/layerwise.bash", "zsh": "completions/_layerwise", "fish": "completions/layerwise.fish",
	"powershell": "completions/layerwise.ps1",
}

// subcommand is a line of "Available Commands:".
var subcommand = regexp.MustCompile(`(?m)^  ([a-z]+)  +[A-Z]`)

// heading is a line such as "Flags:" of a help text.
var heading = regexp.MustCompile(`(?m)^([A-Z][A-Za-z ]+):$`)

// manual is a help text as a manual page, laid out as it is.
func (r *release) manual(name, text string) string {
	first, rest, _ := strings.Cut(text, "\n")
	quote := strings.NewReplacer(`\`, `\e`)
	literal := func(s string) string {
		lines := strings.Split(quote.Replace(s), "\n")
		for i, line := range lines {
			if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
				lines[i] = `\&` + line
			}
		}
		return ".nf\n" + strings.Join(lines, "\n") + "\n.fi\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s 1 %s \"layerwise %s\"\n", strings.ToUpper(name), r.when.Format("2006-01-02"), r.version)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n.SH DESCRIPTION\n", name, quote.Replace(strings.TrimRight(first, ".:")))
	at := 0
	for _, m := range heading.FindAllStringSubmatchIndex(rest, -1) {
		b.WriteString(literal(strings.Trim(rest[at:m[0]], "\n")))
		fmt.Fprintf(&b, ".SH %s\n", strings.ToUpper(rest[m[2]:m[3]]))
		at = m[1]
	}
	b.WriteString(literal(strings.Trim(rest[at:], "\n")))
	return b.String()
}
