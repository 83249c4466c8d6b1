package rules

import (
	"path"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/source"
	"github.com/layerwise/layerwise/analysis/tools"
	"mvdan.cc/sh/v3/syntax"
)

// command is one simple command of a shell script: its words without the variables that are set in front of it. A word
// that is not literal is as it is written. What Python runs as a module counts as a program: pip in python3 -m pip.
type command struct {
	words []string
	at    []int // where each word starts in the script's text
	end   int   // where the last one ends
	sudo  int   // where a sudo in front of it stands, -1 if there is none
}

func commandsOf(file *syntax.File, text string) []command {
	var list []command
	syntax.Walk(file, func(node syntax.Node) bool {
		call, ok := node.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		c := command{sudo: -1}
		for _, arg := range call.Args {
			from, to := int(arg.Pos().Offset()), int(arg.End().Offset())
			word := arg.Lit()
			if word == "" {
				word = text[min(from, len(text)):min(to, len(text))]
			}
			if len(c.words) == 0 && slices.Contains([]string{"sudo", "time", "exec", "command"}, word) {
				if word == "sudo" {
					c.sudo = from
				}
				continue
			}
			c.words, c.at, c.end = append(c.words, word), append(c.at, from), to
		}
		if len(c.words) > 0 {
			c.words[0] = path.Base(c.words[0])
			if len(c.words) > 3 && strings.HasPrefix(c.words[0], "python") && c.words[1] == "-m" {
				c.words, c.at = c.words[2:], c.at[2:]
			}
			list = append(list, c)
		}
		return true
	})
	return list
}

// commands are those of an instruction, none if no shell that reads as Bash does reads it.
func (p *pass) commands(in *dockerfile.Instruction) []command {
	if run := p.shellRun(in); run != nil {
		return run.commands
	}
	return nil
}

// ofCommands asks about each command of an instruction, as Rule.each.
func ofCommands(f func(p *pass, in *dockerfile.Instruction, c command)) func(p *pass, in *dockerfile.Instruction) {
	return func(p *pass, in *dockerfile.Instruction) {
		for _, c := range p.commands(in) {
			f(p, in, c)
		}
	}
}

// span returns where the words from and up to to, exclusive, stand in the file.
func (c command) span(p *pass, in *dockerfile.Instruction, from, to int) source.Span {
	start := p.shellSpan(in, c.at[from])
	return source.Between(start.Start, max(start.Start, p.shellSpan(in, c.at[to-1]).End))
}

// name is the program, "" if there is no command.
func (c command) name() string {
	if len(c.words) == 0 {
		return ""
	}
	return c.words[0]
}

// verb is the index of the first word behind the program that is no flag, 0 if there is none.
func (c command) verb() int {
	for i, word := range c.words {
		if i > 0 && !strings.HasPrefix(word, "-") {
			return i
		}
	}
	return 0
}

// download is a command that downloads packages, or what it compiles with.
type download struct {
	command
	name      string   // of the tool, for people
	manifests []string // that it reads in the working directory; none if it only takes names of packages
	// caches are where root's downloads are kept, for a cache mount. They hold nothing that the image needs: with them
	// in a mount, nothing but what was downloaded once more is lost.
	caches   []string
	last     int  // the word behind program, flags and verb: the first argument
	manifest bool // it reads manifests of the working directory, rather than names of packages
	compiles bool
}

// shown is the command as people call it: "npm ci".
func (d download) shown() string {
	if v := d.verb(); v > 0 && d.last > v {
		return d.words[0] + " " + d.words[v]
	}
	return d.words[0]
}

// downloads are the commands of a RUN that download packages.
func (r *shellRun) downloads() []download {
	if r == nil {
		return nil
	}
	return r.installs
}

// find gives the commands of a RUN that download, and those that download and compile.
func (r *shellRun) find() (installs, compiles []download) {
	for _, c := range r.commands {
		switch d, ok := c.download(); {
		case !ok:
		case d.compiles:
			compiles = append(compiles, d)
		default:
			installs = append(installs, d)
		}
	}
	return installs, compiles
}

// download reads a command by the table of tools.
func (c command) download() (download, bool) {
	tool := tools.Of(c.words[0])
	if tool == nil {
		return download{}, false
	}
	d := download{command: c, name: tool.Name, last: 1}
	verb := tool.Named("")
	if v := c.verb(); v > 0 {
		verb, d.last = tool.Named(c.words[v]), v+1
	} else if slices.ContainsFunc(c.words, func(w string) bool {
		return w == "-v" || w == "--version" || w == "--help"
	}) {
		return download{}, false
	}
	needed := slices.ContainsFunc(tool.Caches, func(cache tools.Cache) bool { return cache.Needed })
	switch {
	case verb == nil, tool.Name == "Go" && c.words[d.last-1] == "get":
		return download{}, false
	case verb.Downloads && !needed:
		d.manifests = verb.Manifests
		d.caches = directories(tool.Caches, func(cache tools.Cache) bool { return !cache.Safe })
		if len(d.caches) == 0 {
			d.caches = directories(tool.Caches, func(tools.Cache) bool { return true })
		}
	case verb.Downloads: // what these download is needed by the steps below: it is only theirs to keep apart
		d.manifests = verb.Manifests
	case needed && (verb.Work == tools.Compile || verb.Work == tools.Test):
		d.caches, d.compiles = directories(tool.Caches, func(tools.Cache) bool { return true }), true
	default:
		return download{}, false
	}
	if tool.Name == "Go" && c.words[d.last-1] == "mod" {
		if len(c.words) <= d.last || c.words[d.last] != "download" {
			return download{}, false
		}
		d.last++
	}
	d.manifest = d.readsManifests()
	return d, true
}

// readsManifests reports whether a download reads manifests of the working directory, rather than names of packages.
func (d download) readsManifests() bool {
	args, global, named := 0, false, false
	for _, word := range d.words[d.last:] {
		switch {
		case word == "-g" || word == "--global" || word == "--location=global":
			global = true
		case (d.name == "pip" || d.name == "uv") && (word == "-r" || strings.HasPrefix(word, "--requirement")):
			named = true
		case !strings.HasPrefix(word, "-"):
			args++
		}
	}
	if len(d.manifests) == 0 {
		return named
	}
	return !global && (args == 0 || d.name == ".NET" || d.name == "Go" || hasValueFlags(d.words[d.last:]))
}

func directories(caches []tools.Cache, wanted func(tools.Cache) bool) (dirs []string) {
	for _, cache := range caches {
		if wanted(cache) {
			dirs = append(dirs, cache.Dir)
		}
	}
	return dirs
}

// hasValueFlags reports whether every word that is no flag stands behind a flag, which may take it as its value.
func hasValueFlags(words []string) bool {
	for i, word := range words {
		if !strings.HasPrefix(word, "-") &&
			(i == 0 || !strings.HasPrefix(words[i-1], "-") || strings.Contains(words[i-1], "=") ||
				!strings.HasPrefix(words[i-1], "--")) {
			return false
		}
	}
	return true
}

// onlyNames reports whether a system package manager is given nothing but names: no files, and nothing of a variable.
func (d download) onlyNames() bool {
	for _, word := range d.words[d.last:] {
		if strings.ContainsAny(word, "/$*`") {
			return false
		}
	}
	return len(d.manifests) == 0 && d.name != "pip" && len(d.words) > d.last
}

// contextCopy returns the sources that an instruction copies of the build context, and whether the whole of it is among
// them.
func contextCopy(in *dockerfile.Instruction) (sources []dockerfile.Word, whole *dockerfile.Word) {
	if in.Meant != "COPY" && in.Meant != "ADD" {
		return nil, nil
	}
	sources = slices.Collect(contextSources(in))
	for i, word := range sources {
		text := word.Text
		if in.JSON {
			text = strings.Trim(text, `"`)
		}
		if clean := path.Clean(text); clean == "." || clean == "/" || clean == "*" {
			return sources, &sources[i]
		}
	}
	return sources, nil
}
