package effects

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// writes adds a file that is written.
func (e *Effects) writes(c Call, p string) bool {
	abs, ok := absolute(e, c.cwd, p)
	if !ok || strings.Contains(p, "\x00") {
		return false
	}
	e.Writes = append(e.Writes, tree(abs))
	return true
}

func (e *Effects) reads(c Call, p string) bool {
	abs, ok := absolute(e, c.cwd, p)
	if !ok || strings.Contains(p, "\x00") {
		return false
	}
	e.Reads = append(e.Reads, tree(abs))
	return true
}

func (e *Effects) fetches() {
	e.system(false)
	e.Reads = append(e.Reads, "env:HOME", "env:CURL_*", "env:WGETRC", "env:NETRC", "env:SSL_*", "env:*_PROXY", "env:PATH", "env:LD_*")
}

// option is one of a command line, with its value if it takes one.
type option struct{ name, value string }

// options reads a command line as getopt does: takes are the short options that are followed by a value, and longs the long ones.
// Words come as options without a name. It fails for a long option of which neither is known.
func (c Call) options(takes, longs, flags string) (list []option, ok bool) {
	long, plain := strings.Fields(longs), strings.Fields(flags)
	for i := 1; i < len(c.Args); i++ {
		a := c.Args[i]
		value := func() (string, bool) {
			i++
			return c.Args[min(i, len(c.Args)-1)], i < len(c.Args)
		}
		switch {
		case strings.HasPrefix(a, "--"):
			name, v, has := strings.Cut(a[2:], "=")
			switch {
			case slices.Contains(long, name):
				if !has {
					if v, ok = value(); !ok {
						return nil, false
					}
				}
				list = append(list, option{name, v})
			case slices.Contains(plain, name):
				list = append(list, option{name, ""})
			default:
				return nil, false
			}
		case len(a) > 1 && a[0] == '-':
			for k := 1; k < len(a); k++ {
				letter := a[k : k+1]
				if !strings.Contains(takes, letter) {
					list = append(list, option{letter, ""})
					continue
				}
				v := a[k+1:]
				if v == "" {
					if v, ok = value(); !ok {
						return nil, false
					}
				}
				list = append(list, option{letter, v})
				break
			}
		default:
			list = append(list, option{"", a})
		}
	}
	return list, true
}

func curl(s *state, e *Effects, c Call) bool {
	e.fetches()
	list, ok := c.options("AbcCdDeEFhHKmoPQrtTuUwxXyYzZ",
		"output header user-agent retry retry-delay retry-max-time connect-timeout max-time proto proto-default proto-redir proxy request url user referer max-redirs limit-rate speed-limit speed-time tls-max ciphers resolve range",
		"fail fail-with-body silent show-error location insecure remote-name remote-name-all remote-header-name compressed progress-bar no-progress-meter retry-connrefused retry-all-errors tlsv1 tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3 http1.0 http1.1 http2 ssl-reqd "+
			"globoff head include verbose ipv4 ipv6 no-buffer location-trusted get tcp-nodelay no-keepalive version")
	if !ok {
		return false
	}
	for _, o := range list {
		switch o.name {
		case "o", "output":
			if o.value != "-" && !e.writes(c, o.value) {
				return false
			}
		case "O", "J", "remote-name", "remote-name-all", "remote-header-name":
			if !e.writes(c, ".") {
				return false
			}
		case "b", "c", "d", "D", "E", "F", "h", "K", "P", "Q", "t", "T", "w", "z", "n":
			return false
		case "H", "header", "U", "u", "user", "x":
			if strings.HasPrefix(o.value, "@") {
				return false
			}
		case "", "url":
			if strings.HasPrefix(o.value, "file:") || o.value == "\x00" {
				e.Reads = append(e.Reads, "/")
			}
		}
	}
	return true
}

func wget(s *state, e *Effects, c Call) bool {
	e.fetches()
	list, ok := c.options("aABDeEGhiIlLnoOPQRtTuUwX",
		"output-document directory-prefix tries timeout user-agent header user password wait waitretry retry-connrefused read-timeout connect-timeout dns-timeout secure-protocol progress limit-rate max-redirect",
		"quiet no-verbose no-check-certificate https-only show-progress retry-connrefused no-cache no-hsts content-disposition trust-server-names no-clobber continue inet4-only inet6-only verbose no-config timestamping")
	if !ok {
		return false
	}
	to := "."
	for _, o := range list {
		switch o.name {
		case "O", "output-document":
			if to = o.value; to == "-" || to == "/dev/null" || to == "/dev/stdout" {
				to = ""
			}
		case "P", "directory-prefix":
			to = o.value
		case "n": // -nv, -nc
			if o.value != "v" && o.value != "c" && o.value != "d" && o.value != "H" {
				return false
			}
		case "a", "o", "i", "B", "e", "r", "m", "p", "k", "x", "H", "l":
			return false
		case "":
			if o.value == "\x00" && to == "." {
				continue // a URL
			}
		}
	}
	return to == "" || e.writes(c, to)
}

func git(s *state, e *Effects, c Call) bool {
	words := c.words("-b --branch --depth -c --config -j --jobs --shallow-since --filter")
	if len(words) == 0 || c.has("-C", "--git-dir", "--reference", "--template", "--separate-git-dir", "--bundle-uri", "--work-tree", "--reference-if-able") {
		return false
	}
	e.fetches()
	e.Reads = append(e.Reads, "env:GIT_*", "env:XDG_*")
	if words[0] == "config" && c.has("--global", "--system") {
		e.Writes = append(e.Writes, "/root/", "/home/", "/etc/")
		return true
	}
	if words[0] == "lfs" && len(words) == 2 && words[1] == "install" && !c.has("--local", "--worktree") {
		e.Writes = append(e.Writes, "/root/", "/home/", "/etc/")
		return true
	}
	if words[0] != "clone" {
		return false
	}
	at := slices.IndexFunc(words, func(w string) bool { return strings.Contains(w, "://") || strings.HasPrefix(w, "git@") })
	if at < 0 || at < len(words)-2 || strings.HasPrefix(words[at], "file:") {
		return false
	}
	if at == len(words)-1 {
		return e.writes(c, strings.TrimSuffix(path.Base(strings.TrimSuffix(words[at], "/")), ".git"))
	}
	return e.writes(c, words[at+1])
}

func mkdir(s *state, e *Effects, c Call) bool {
	if c.Dynamic {
		return false
	}
	plain := c.has("-p", "--parents", "-pv", "-vp") && !c.has("-m", "--mode")
	for _, w := range c.words("-m --mode") {
		abs, ok := absolute(e, c.cwd, w)
		if !ok || strings.ContainsAny(w, "{*?[") {
			return false
		}
		if plain {
			e.makes(strings.TrimSuffix(abs, "/"), "0755 "+s.owner())
		} else {
			e.Writes = append(e.Writes, tree(abs))
		}
	}
	return true
}

// chmodRemoves is a mode of chmod that looks like an option.
var chmodRemoves = regexp.MustCompile(`^-[rwxXst]+(,|$)`)

func change(s *state, e *Effects, c Call) bool {
	defer e.named(len(e.Reads), len(e.Writes))
	words := c.words("")
	if c.Args[0] == "chown" || c.Args[0] == "chmod" || c.Args[0] == "chgrp" {
		if c.Args[0] == "chmod" && slices.ContainsFunc(c.Args[1:], chmodRemoves.MatchString) {
			words = append([]string{"-"}, words...)
		}
		if len(words) < 2 || c.has("--reference", "--from") {
			return false
		}
		words = words[1:]
		e.Reads = append(e.Reads, "/etc/passwd", "/etc/group")
	}
	if c.Args[0] == "touch" {
		if c.has("-r", "--reference") {
			return false
		}
		words = c.words("-d --date -t")
	}
	for _, w := range words {
		if !e.writes(c, w) {
			return false
		}
	}
	return true
}

func cp(s *state, e *Effects, c Call) bool {
	defer e.named(len(e.Reads), len(e.Writes))
	words := c.words("-m --mode -o --owner -g --group -S --suffix")
	if c.Dynamic || len(words) < 2 || c.has("-t", "--target-directory") || c.Args[0] == "install" && (c.has("-d", "--directory", "-D", "-s", "--strip") || slices.ContainsFunc(c.Args[1:], func(a string) bool { return strings.HasPrefix(a, "-") && strings.ContainsAny(a, "dDs") })) {
		return false
	}
	last := len(words) - 1
	for _, w := range words[:last] {
		if !e.reads(c, w) || c.Args[0] == "mv" && !e.writes(c, w) {
			return false
		}
	}
	if c.Args[0] == "install" {
		e.Reads = append(e.Reads, "/etc/passwd", "/etc/group")
	}
	return e.writes(c, words[last])
}

func ln(s *state, e *Effects, c Call) bool {
	words := c.words("")
	if c.Dynamic || len(words) != 2 {
		return false
	}
	s.linked = true
	target := words[0]
	if !path.IsAbs(target) {
		return false
	}
	return e.reads(c, target) && e.writes(c, target) && e.writes(c, words[1])
}

// sedFile finds commands of sed that read or write files.
var sedFile = regexp.MustCompile(`^\d*[rwRW] |[/|#@,][0-9gIMp]*[we] |^[0-9$/]*e\b|;\s*[rwRWe] |[}{]\s*[rwRWe] `)

func sed(s *state, e *Effects, c Call) bool {
	defer e.named(len(e.Reads), len(e.Writes))
	words, backup, script, inPlace := []string{}, "", false, false
	for i := 1; i < len(c.Args); i++ {
		a := c.Args[i]
		switch {
		case a == "-e" || a == "--expression":
			if script = true; i+1 < len(c.Args) {
				i++
				if sedFile.MatchString(c.Args[i]) {
					return false
				}
			}
		case strings.HasPrefix(a, "-i"):
			inPlace, backup = true, a[2:]
		case strings.HasPrefix(a, "--in-place"):
			inPlace = true
			_, backup, _ = strings.Cut(a, "=")
		case a == "-E" || a == "-r" || a == "-z" || a == "-u" || a == "--regexp-extended":
		case strings.HasPrefix(a, "-"):
			return false // -n, -f, -ri: a script that prints, or of a file
		case sedFile.MatchString(a):
			return false
		case !script:
			script = true
		default:
			words = append(words, a)
		}
	}
	if len(words) == 0 || backup != "" && (strings.ContainsAny(backup, "*/") || !inPlace) {
		return len(words) == 0 && !inPlace && script // of a pipe
	}
	for _, w := range words {
		if !e.writes(c, w) || backup != "" && !e.writes(c, w+backup) {
			return false
		}
	}
	return true
}

// unpack is tar, unzip and the like. What an archive holds is not known, nor whether links are among it.
func unpack(s *state, e *Effects, c Call) bool {
	if c.Dynamic {
		return false
	}
	s.linked = true
	to, from := ".", ""
	switch c.Args[0] {
	case "tar":
		args := slices.Clone(c.Args)
		if len(args) > 1 && !strings.HasPrefix(args[1], "-") {
			args[1] = "-" + args[1]
		}
		list, ok := Call{Args: args}.options("bCfFgHIKLNTVX", "directory file strip-components exclude owner group transform", "extract gzip bzip2 xz zstd no-same-owner same-owner preserve-permissions no-same-permissions verbose auto-compress wildcards keep-old-files overwrite touch")
		if !ok {
			return false
		}
		extracts := false
		for _, o := range list {
			switch o.name {
			case "x", "extract":
				extracts = true
			case "C", "directory":
				to = o.value
			case "f", "file":
				from = o.value
			case "transform", "T", "X", "F", "g", "I", "P", "c", "r", "u", "A", "K", "L", "N":
				return false
			}
		}
		if !extracts {
			return false
		}
	case "unzip":
		list, ok := c.options("dxP", "", "")
		if !ok {
			return false
		}
		for _, o := range list {
			switch o.name {
			case "d":
				to = o.value
			case "x":
				return false
			case "":
				if from == "" {
					from = o.value
				}
			}
		}
		if from == "" {
			return false
		}
	}
	if from != "" && from != "-" && (!e.reads(c, from) || strings.ContainsAny(from, "*?[")) {
		return false
	}
	e.Reads = append(e.Reads, "/etc/passwd", "/etc/group")
	return e.writes(c, to)
}

// fileTest are the operators of "test" that look at files.
var fileTest = regexp.MustCompile(`^-([abcdefghkprstuwxGLNOS]|nt|ot|ef)$`)

// compares are the operators of "test" that compare values.
var compares = regexp.MustCompile(`^(=|==|!=|-[nz]|-(eq|ne|lt|le|gt|ge))$`)

// test compares values, or looks at the files that it names.
func test(s *state, e *Effects, c Call) bool {
	if c.Loose { // it may be several words
		return false
	}
	for i, a := range c.Args { // an operator, perhaps
		if a == "\x00" && !compares.MatchString(c.Args[i-1]) && (i+1 == len(c.Args) || !compares.MatchString(c.Args[i+1])) {
			return false
		}
	}
	if !slices.ContainsFunc(c.Args, fileTest.MatchString) {
		return true
	}
	defer e.named(len(e.Reads), len(e.Writes))
	for _, w := range c.words("") {
		if !slices.Contains([]string{"]", "!", "=", "==", "!=", "(", ")"}, w) && !e.reads(c, w) {
			return false
		}
	}
	return true
}

func look(s *state, e *Effects, c Call) bool {
	defer e.named(len(e.Reads), len(e.Writes))
	if c.has("--files-from", "--files0-from", "-o", "--output") && c.Args[0] != "ls" {
		return false
	}
	for _, w := range c.words("") {
		if !e.reads(c, w) {
			return false
		}
	}
	e.Reads = append(e.Reads, "cwd")
	if c.cwd == "" {
		return false
	}
	e.Reads = append(e.Reads, tree(c.cwd))
	return true
}

func users(s *state, e *Effects, c Call) bool {
	e.Reads = append(e.Reads, "/etc/", "/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/share/")
	e.Writes = append(e.Writes, "/etc/", "/var/", "/home/", "/run/")
	for _, a := range c.Args[1:] {
		if a == "\x00" {
			continue // an identity
		}
		name, value, has := strings.Cut(a, "=")
		if has && strings.HasPrefix(name, "--") {
			a = value
		}
		if strings.HasPrefix(a, "/") && !strings.HasPrefix(a, "/bin/") && !strings.HasPrefix(a, "/sbin/") && !strings.HasPrefix(a, "/usr/") && !strings.HasPrefix(a, "/dev/") {
			e.Writes = append(e.Writes, tree(path.Clean(a)))
		}
	}
	if c.has("-k", "--skel", "-R", "--root", "-P", "--prefix") {
		return false
	}
	return !c.Dynamic || !c.has("-d", "-h", "-b", "--home", "--home-dir", "--base-dir")
}

func nothing(s *state, e *Effects, c Call) bool { return true }
