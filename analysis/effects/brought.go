package effects

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis/dockerfile"
	"github.com/layerwise/layerwise/analysis/shellscript"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// ownProgram are names of programs that a project brings to run in the container. Any other name may be that of a
// program that a tool looks for, such as pg_config or x86_64-linux-gnu-gcc.
var ownProgram = regexp.MustCompile(
	`^[A-Za-z0-9_-]+\.(sh|bash|py|rb|[cm]?js|ts|pl|php|lua|jar|awk|conf|cnf|json|ya?ml|toml|ini|txt|md)$|entry-?point|` +
		`^(tini|gosu|su-exec|dumb-init|catatonit|confd|uv|uvx)$|` +
		`(^|[-_])(start|run|serve|server|wait|health|healthcheck|boot|bootstrap|worker|migrate|backup|app|main|cmd)` +
		`([-_]|$)`,
)

// program notes a program that is put where programs are looked for.
func (o *outside) program(at string) {
	if !slices.Contains(searched, path.Dir(at)) {
		return
	}
	if o.programs == nil {
		o.programs = map[string]bool{}
	}
	name := path.Base(at)
	o.programs[name] = true
	if slices.Contains(helpers, name) || !ownProgram.MatchString(name) {
		o.helper = cmp.Or(o.helper, name)
	}
}

var (
	// toolPlace are directories in which tools of the table find what they load by themselves.
	toolPlace = regexp.MustCompile(
		`^/usr/(local/)?lib(32|64|exec|x32)?/|^/opt/(conda|java)/|^/usr/local/(go|cargo|bundle|rustup|sbin|etc)/|` +
			`^/usr/(local/)?share/(maven|dotnet|java|javascript|perl5?|php|python[0-9.]*|ruby[a-z-]*|rubygems.*|npm|node.*|` +
			`nodejs|apt|dpkg|debconf|gcc.*|aclocal|pkgconfig|cmake.*|git-core|composer|gems|bash-completion)/|` +
			`^/etc/(rpm|fonts|pki/tls|crypto-policies|perl|python[0-9.]*|java[^/]*|maven|ruby[^/]*|dotnet|alternatives|` +
			`default|security|pam\.d|init\.d|xml|sgml|emacs|texmf|initramfs-tools|cmake|gitconfig\.d)/|` +
			`^/etc/(passwd|group|shadow|nsswitch\.conf|login\.defs|ssl/[^/]+\.cnf|ld\.so\.preload)$`,
	)
	// quietPlace are those among them that steer no tool.
	quietPlace = regexp.MustCompile(
		`^/usr/(local/)?lib/(nginx|systemd|cgi-bin|tmpfiles\.d)/|^/usr/local/etc/(php|php-fpm\.d|redis|haproxy)/|` +
			`^/etc/default/(locale|nginx|cron)$|/\.ssh/known_hosts$`,
	)
)

// loads reports whether a file that a project brings may be one that a tool loads by itself: of its libraries, or one
// of the home directory's that is not known to hold settings.
func (s *state) loads(at string) bool {
	if settingsFile.MatchString(at) || appSettings.MatchString(at) || quietPlace.MatchString(at) {
		return false
	}
	hidden := func(home string) bool { return home != "/" && strings.HasPrefix(at, tree(home)+".") }
	home, known := s.home()
	return toolPlace.MatchString(at) || known && hidden(home) || slices.ContainsFunc(s.homes, hidden) ||
		userFile.MatchString(at)
}

// noteLoaded notes a file that a tool may load by itself.
func (s *state) noteLoaded(at string) {
	if s.outside.settings == "" && s.loads(at) {
		s.outside.settings = "a tool may load " + at + ", which an earlier step brings"
	}
}

// userFile are hidden files of a home directory.
var userFile = regexp.MustCompile(`^/(root|home/[^/]+)/\.`)

// fromStage takes in what a COPY brings from a stage of the file that has files of the project.
func (s *state) fromStage(e *Effects, c instructions.SourcesAndDest, from string, above int) {
	at := s.file.Stage(strings.ToLower(from), dockerfile.ByCopy, above)
	if at < 0 || at >= above || !s.hasProject(at) {
		return
	}
	for _, dest := range e.Writes {
		if dest = strings.TrimSuffix(dest, "/"); !slices.Contains(searched, dest) {
			s.outside.program(dest)
			continue
		}
		for _, src := range c.SourcePaths {
			s.outside.program(path.Join(dest, path.Base(src)))
		}
	}
}

// hasProject reports whether a stage has files of the build context, by itself or by way of other stages.
func (s *state) hasProject(stage int) bool {
	if base := s.file.Stage(strings.ToLower(s.file.Stages[stage].Base.Text), dockerfile.ByFrom, stage); base >= 0 &&
		base < stage && s.hasProject(base) {
		return true
	}
	return slices.ContainsFunc(s.file.Stages[stage].Instructions, func(in *dockerfile.Instruction) bool {
		switch c := in.Command.(type) {
		case *instructions.AddCommand:
			return true
		case *instructions.RunCommand:
			return in.MountsRead && len(instructions.GetMounts(c)) > 0
		case *instructions.CopyCommand:
			if c.From == "" {
				return true
			}
			from := s.file.Stage(strings.ToLower(c.From), dockerfile.ByCopy, stage)
			return from >= 0 && from < stage && s.hasProject(from)
		}
		return false
	})
}

// interpreters run the files that their words name.
var interpreters = strings.Fields(
	"sh bash dash ash zsh ksh . source python python2 python3 node ruby perl php make just task env exec timeout time " +
		"sudo xargs nice nohup",
)

// scriptsDeep is how many scripts deep it is looked for what they run.
const scriptsDeep = 3

// scriptsOf takes in what scripts of the project may leave outside of it that a command runs. depth is how many
// scripts deep it is looked.
func (s *state) scriptsOf(words []string, depth int) {
	if len(words) == 0 || depth == 0 {
		return
	}
	name := path.Base(words[0])
	if !strings.Contains(words[0], "/") && !slices.Contains(interpreters, name) && (slices.Contains(placers, name) ||
		slices.Contains(editors, name)) {
		return
	}
	if name == "make" {
		words = append(slices.Clone(words), "Makefile")
	}
	for _, word := range words {
		places := []string{path.Join(s.cwd, word)}
		switch {
		case path.IsAbs(word):
			places = []string{path.Clean(word)}
		case !strings.Contains(word, "/"):
			for _, dir := range searched {
				places = append(places, path.Join(dir, word))
			}
		}
		for _, at := range places {
			content, ok := s.source(at)
			if !ok || len(content) > 1<<16 || !path.IsAbs(at) {
				continue
			}
			s.leavesScript(string(content), depth-1)
		}
	}
}

// leavesScript takes in what a script of the project leaves, whatever its language.
func (s *state) leavesScript(script string, depth int) {
	file, err := shellscript.ParseStrict(script)
	if err != nil {
		file = nil
	}
	s.leaves(script, file, depth)
}
