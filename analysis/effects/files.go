package effects

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// place adds a file that a command names to a list. It fails where the path is not known, or may lead elsewhere by a
// link.
func (e *Effects) place(s *state, c Call, p string, list *[]string) bool {
	if unknownIn(p) || strings.HasPrefix(p, "~") {
		return false
	}
	abs, ok := absolute(e, c.cwd, p)
	if !ok || !s.sure(abs) {
		return false
	}
	*list = append(*list, tree(abs))
	if real := s.resolve(abs); real != abs {
		*list = append(*list, tree(real))
	}
	return true
}

// writes adds a file that is written.
func (e *Effects) writes(s *state, c Call, p string) bool { return e.place(s, c, p, &e.Writes) }

// reads adds a file that is read.
func (e *Effects) reads(s *state, c Call, p string) bool { return e.place(s, c, p, &e.Reads) }

// fetches adds what a program reads that loads something from the network.
func (e *Effects) fetches(s *state, c Call, homeFiles ...string) bool {
	e.system(false)
	e.Reads = append(e.Reads, "env:?")
	return s.steered(e, c) && s.atHome(e, append(homeFiles, ".netrc")...)
}

const (
	curlOptions = "-f --fail --fail-with-body -s --silent -S --show-error -L --location -k --insecure --compressed " +
		"--progress-bar -# --no-progress-meter --retry-connrefused --retry-all-errors -1 --tlsv1 --tlsv1.0 --tlsv1.1 " +
		"--tlsv1.2 --tlsv1.3 -0 --http1.0 --http1.1 --http2 --ssl-reqd -g --globoff " +
		"-I --head -i --include -v --verbose -4 --ipv4 -6 --ipv6 -N --no-buffer --location-trusted -G --get " +
		"--tcp-nodelay --no-keepalive -O --remote-name --remote-name-all -J --remote-header-name -q --disable -V " +
		"--version --create-dirs " +
		"-o= --output= -H= --header= -A= --user-agent= --retry= --retry-delay= --retry-max-time= --connect-timeout= " +
		"-m= --max-time= --proto= --proto-default= --proto-redir= -X= --request= --url= -u= --user= -e= " +
		"--referer= --max-redirs= --limit-rate= -y= -Y= --tls-max= --ciphers= --resolve= -r= --range="
	wgetOptions = "-q --quiet -nv --no-verbose --no-check-certificate --https-only --show-progress " +
		"--retry-connrefused --no-cache --no-hsts --content-disposition --trust-server-names -nc --no-clobber -c " +
		"--continue -4 --inet4-only -6 --inet6-only -v --verbose --no-config -N --timestamping -S " +
		"-O= --output-document= -P= --directory-prefix= -t= --tries= -T= --timeout= -U= --user-agent= --header= " +
		"--user= --password= -w= --wait= --waitretry= --read-timeout= --connect-timeout= --dns-timeout= " +
		"--secure-protocol= --progress= --limit-rate= --max-redirect="
)

func curl(s *state, e *Effects, c Call) bool {
	l, ok := c.line(curlOptions)
	if !ok || !e.fetches(s, c, ".curlrc", ".config/", "_curlrc") {
		return false
	}
	for _, name := range []string{"-o", "--output"} {
		for _, file := range l.values[name] {
			if file != "-" && file != "/dev/null" && file != "/dev/stdout" && !e.writes(s, c, file) {
				return false
			}
		}
	}
	if l.has("-O", "-J", "--remote-name", "--remote-name-all", "--remote-header-name") && !e.writes(s, c, ".") ||
		l.has("--create-dirs") {
		return false
	}
	for _, name := range []string{"-H", "--header", "-u", "--user"} {
		if slices.ContainsFunc(
			l.values[name],
			func(v string) bool { return strings.HasPrefix(v, "@") || strings.HasPrefix(v, unknown) },
		) {
			return false
		}
	}
	return !slices.ContainsFunc(slices.Concat(l.words, l.values["--url"]), fromFile)
}

// fromFile reports whether a URL may be one of a file.
func fromFile(url string) bool {
	return strings.HasPrefix(strings.ToLower(url), "file:") || strings.HasPrefix(url, unknown) ||
		strings.HasPrefix(url, "-")
}

func wget(s *state, e *Effects, c Call) bool {
	l, ok := c.line(wgetOptions)
	if !ok || !e.fetches(s, c, ".wgetrc", ".wget-hsts") || slices.ContainsFunc(l.words, fromFile) {
		return false
	}
	to := "."
	if dir, given := l.last("-P", "--directory-prefix"); given {
		to = dir
	}
	if file, given := l.last("-O", "--output-document"); given {
		if to = file; to == "-" || to == "/dev/null" || to == "/dev/stdout" {
			return true
		}
	}
	return e.writes(s, c, to)
}

// gitSetting is a setting of git that neither names a file nor runs anything.
var gitSetting = regexp.MustCompile(
	`^(user\.(name|email)|safe\.directory|http\.(postBuffer|sslVerify|version|lowSpeedLimit|lowSpeedTime)|core\.(autocrlf|compression|longpaths)|init\.defaultBranch|advice\.[A-Za-z]+|pull\.(rebase|ff)|fetch\.parallel|url\.(https|ssh)://[^ ]+\.insteadOf)$`,
)

func git(s *state, e *Effects, c Call) bool {
	l, ok := c.line(
		"-b= --branch= --depth= -j= --jobs= --shallow-since= --filter= -q --quiet -v --verbose --progress " +
			"--single-branch --no-single-branch --no-tags --recursive --recurse-submodules --shallow-submodules " +
			"--bare -n --no-checkout --sparse --global --system --add",
	)
	if !ok || len(l.words) == 0 || !e.fetches(s, c, ".gitconfig", ".config/", ".git-credentials", ".ssh/") {
		return false
	}
	switch l.words[0] {
	case "config":
		if !l.has("--global", "--system") || len(l.words) != 3 || !gitSetting.MatchString(l.words[1]) ||
			strings.ContainsAny(l.words[1], "$`") {
			return false
		}
		e.Writes = append(e.Writes, "/root/", "/home/", "/etc/")
		if home, known := s.home(); known {
			e.Writes = append(e.Writes, path.Join(home, ".gitconfig"))
		}
		return true
	case "clone":
		if len(l.words) < 2 || len(l.words) > 3 || l.has("--global", "--system", "--add") ||
			!strings.HasPrefix(l.words[1], "https://") && !strings.HasPrefix(l.words[1], "http://") &&
				!strings.HasPrefix(l.words[1], "git@") &&
				!strings.HasPrefix(l.words[1], "git://") {
			return false
		}
		defer func() { s.linked = true }() // a repository may have links
		if len(l.words) == 3 {
			return e.writes(s, c, l.words[2])
		}
		return e.writes(s, c, strings.TrimSuffix(path.Base(strings.TrimSuffix(l.words[1], "/")), ".git"))
	}
	return false
}

func mkdir(s *state, e *Effects, c Call) bool {
	l, ok := c.line("-p --parents -v --verbose -m= --mode=")
	if !ok || c.Dynamic {
		return false
	}
	for _, w := range l.words {
		abs, ok := absolute(e, c.cwd, w)
		if !ok || strings.ContainsAny(w, "{*?[~") || !s.sure(abs) || s.resolve(abs) != abs {
			return false
		}
		if l.has("-p", "--parents") && !l.has("-m", "--mode") {
			e.makes(strings.TrimSuffix(abs, "/"), "0755 "+s.owner())
		} else {
			e.Writes = append(e.Writes, tree(abs))
		}
	}
	return true
}

// chmodMode is a mode of chmod.
var chmodMode = regexp.MustCompile(`^([0-7]{3,4}|[ugoa]*[-+=][rwxXst]+(,[ugoa]*[-+=][rwxXst]+)*)$`)

// change is what changes, makes or removes the files that it names.
func change(s *state, e *Effects, c Call) bool {
	defer e.named(len(e.Reads), len(e.Writes))
	options := map[string]string{
		"chown": "-R --recursive -v -c -f -h " +
			"--no-dereference", "chgrp": "-R --recursive -v -c -f " +
			"-h", "chmod": "-R --recursive -v -c -f", "touch": "-a -m -c -d= --date= -t=",
		"rm": "-r -R -f -v -d --recursive --force --dir", "rmdir": "-p --parents -v --ignore-fail-on-non-empty",
	}[c.Args[0]]
	owners := c.Args[0] == "chown" || c.Args[0] == "chgrp"
	if c.Args[0] == "chmod" { // a mode may look like an option
		args := slices.Clone(c.Args)
		if at := slices.IndexFunc(args[1:], chmodMode.MatchString) + 1; at > 0 && strings.HasPrefix(args[at], "-") &&
			args[at] != "-R" {
			args[at] = "0" + args[at]
		}
		c.Args = args
	}
	l, ok := c.line(options)
	if !ok {
		return false
	}
	words := l.words
	if owners || c.Args[0] == "chmod" {
		if len(words) < 2 {
			return false
		}
		words = words[1:]
		e.Reads = append(e.Reads, "/etc/passwd", "/etc/group")
	}
	return len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return !e.writes(s, c, w) })
}

func cp(s *state, e *Effects, c Call) bool {
	defer e.named(len(e.Reads), len(e.Writes))
	options := map[string]string{
		"cp": "-r -R -a -p -f -v -n -u -L -d -P --recursive --archive --force --verbose --no-clobber " +
			"--preserve[=]", "mv": "-f -v -n --force --verbose " +
			"--no-clobber", "install": "-m= --mode= -o= --owner= -g= --group= -v -p -c",
	}[c.Args[0]]
	l, ok := c.line(options)
	if !ok || c.Dynamic || len(l.words) < 2 {
		return false
	}
	last := len(l.words) - 1
	for _, w := range l.words[:last] {
		if !e.reads(s, c, w) || c.Args[0] == "mv" && !e.writes(s, c, w) {
			return false
		}
	}
	if c.Args[0] == "install" {
		e.Reads = append(e.Reads, "/etc/passwd", "/etc/group")
	}
	return e.writes(s, c, l.words[last])
}

// ln makes a link, which stands for its target from then on.
func ln(s *state, e *Effects, c Call) bool {
	l, ok := c.line("-s -f -n -v -T --symbolic --force --no-dereference")
	if !ok || c.Dynamic || len(l.words) != 2 {
		s.linked = true
		return false
	}
	at, ok := absolute(e, c.cwd, l.words[1])
	if !ok || strings.ContainsAny(l.words[0]+l.words[1], "*?[{~") {
		s.linked = true
		return false
	}
	target := l.words[0]
	if !path.IsAbs(target) {
		target = path.Join(path.Dir(path.Clean(at)), target)
	}
	target = path.Clean(target)
	s.links = append(
		s.links,
		link{path.Clean(at), target},
		link{path.Join(at, path.Base(target)), target},
	) // the name may be a directory
	return e.reads(s, c, target) && e.writes(s, c, target) && e.writes(s, c, l.words[1])
}

// sedScript is a command of sed that only edits text.
var sedScript = regexp.MustCompile(
	`^(\s*([0-9$]+(,[0-9$]+)?|/[^/\n]*/)?\s*(s/[^/\n]*/[^/\n]*/[gIi0-9]*|s\|[^|\n]*\|[^|\n]*\|[gIi0-9]*|s#[^#\n]*#[^#\n]*#[gIi0-9]*|s,[^,\n]*,[^,\n]*,[gIi0-9]*|s@[^@\n]*@[^@\n]*@[gIi0-9]*|d)\s*(;|$))+$`,
)

// sed edits the files that it names in their places.
func sed(s *state, e *Effects, c Call) bool {
	defer e.named(len(e.Reads), len(e.Writes))
	args := slices.Clone(c.Args)
	for i, a := range args { // -i has no value of its own, or a joined one that makes another file
		if strings.HasPrefix(a, "-i") && a != "-i" && a != "-ie" {
			return false
		}
		args[i] = strings.Replace(a, "-ie", "-i", 1)
	}
	c.Args = args
	l, ok := c.line("-i --in-place -E -r -z -u --regexp-extended -e= --expression=")
	if !ok || c.Dynamic {
		return false
	}
	scripts, words := slices.Concat(l.values["-e"], l.values["--expression"]), l.words
	if len(scripts) == 0 && len(words) > 0 {
		scripts, words = words[:1], words[1:]
	}
	if len(scripts) == 0 ||
		slices.ContainsFunc(scripts, func(script string) bool { return !sedScript.MatchString(script) }) {
		return false
	}
	if !l.has("-i", "--in-place") {
		return !slices.ContainsFunc(words, func(w string) bool { return !e.reads(s, c, w) })
	}
	return len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return !e.writes(s, c, w) })
}

// unpack is tar, unzip and the like. What an archive holds is not known, nor whether links are among it.
func unpack(s *state, e *Effects, c Call) bool {
	if c.Dynamic || !s.steered(&Effects{}, c) {
		return false
	}
	args := slices.Clone(c.Args)
	options := "-o -q -n -j -d="
	if c.Args[0] == "tar" {
		options = "-x -z -j -J -v -p -m -k --extract --gzip --gunzip --bzip2 --xz --zstd --no-same-owner " +
			"--same-owner --no-same-permissions --verbose --wildcards --overwrite --touch -C= --directory= -f= " +
			"--file= --strip-components= --strip= --exclude= --owner= --group="
		if len(args) > 1 && !strings.HasPrefix(args[1], "-") {
			args[1] = "-" + args[1]
		}
	}
	c.Args = args
	l, ok := c.line(options)
	if !ok || c.Args[0] == "tar" && !l.has("-x", "--extract") {
		return false
	}
	to, from := ".", ""
	if dir, given := l.last("-C", "--directory", "-d"); given {
		to = dir
	}
	if c.Args[0] == "unzip" {
		if len(l.words) == 0 {
			return false
		}
		from = l.words[0]
	} else if file, given := l.last("-f", "--file"); given && file != "-" {
		from = file
	}
	if from != "" && (!e.reads(s, c, from) || strings.ContainsAny(from, "*?[")) {
		return false
	}
	e.Reads = append(e.Reads, "/etc/passwd", "/etc/group")
	ok = e.writes(s, c, to)
	s.linked = true
	return ok
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
		if a == unknown && !compares.MatchString(c.Args[i-1]) &&
			(i+1 == len(c.Args) || !compares.MatchString(c.Args[i+1])) {
			return false
		}
	}
	if !slices.ContainsFunc(c.Args, fileTest.MatchString) {
		return true
	}
	defer e.named(len(e.Reads), len(e.Writes))
	for _, w := range c.words("") {
		if !slices.Contains([]string{"]", "!", "=", "==", "!=", "(", ")"}, w) && !e.reads(s, c, w) {
			return false
		}
	}
	return true
}

// look reads the files that it names, or its working directory.
func look(s *state, e *Effects, c Call) bool {
	defer e.named(len(e.Reads), len(e.Writes))
	words := c.words("-n -c -m --lines --bytes")
	if c.cwd == "" || slices.ContainsFunc(c.Args[1:], func(a string) bool {
		return strings.HasPrefix(a, "--") && a != "--version" && a != "--lines" && a != "--bytes" ||
			strings.HasPrefix(a, "-") && strings.ContainsAny(a, "foRTrSm") && c.Args[0] != "ls"
	}) {
		return false
	}
	for _, w := range words {
		if !e.reads(s, c, w) {
			return false
		}
	}
	e.Reads = append(e.Reads, "cwd", tree(c.cwd))
	return true
}

// userOptions are the options that leave the home directory where it is by default, or name it.
var userOptions = map[string]string{
	"useradd": "-m -M -r -N -U -l -o --create-home --no-create-home --system --no-log-init --user-group " +
		"--no-user-group -u= --uid= -g= --gid= -G= --groups= -s= --shell= -c= --comment= -d= --home-dir= --home= " +
		"-p= --password=",
	"adduser": "-D -H -S --system --disabled-password --disabled-login --no-create-home --group --quiet " +
		"--force-badname -u= --uid= -G= -g= --gid= --ingroup= -s= --shell= -h= --home= --gecos= -c= --comment=",
	"groupadd": "-r -f -o --system --force -g= --gid=", "addgroup": "-S --system -g= --gid=",
}

// users makes users and groups.
func users(s *state, e *Effects, c Call) bool {
	l, ok := c.line(userOptions[c.Args[0]])
	home, given := l.last("-d", "--home-dir", "--home", "-h")
	if !ok || s.outside.programs["adduser.local"] ||
		given && (c.Dynamic || !plainDir.MatchString(home)) || s.copiedTo("/etc/skel/") ||
		s.copiedTo("/etc/default/") ||
		s.copiedTo("/etc/login.defs") ||
		s.copiedTo("/etc/adduser.conf") {
		return false
	}
	e.Reads = append(e.Reads, "/etc/", "/usr/bin/", "/usr/sbin/", "/usr/local/sbin/", "/usr/lib/", "/usr/share/")
	e.Writes = append(e.Writes, "/etc/", "/var/", "/home/", "/run/")
	if given {
		s.homes = append(s.homes, path.Clean(home))
		e.Writes = append(e.Writes, tree(path.Clean(home)))
	}
	return true
}

// identity says who one is.
func identity(s *state, e *Effects, c Call) bool {
	e.Reads = append(e.Reads, "/etc/passwd", "/etc/group")
	return true
}

func nothing(*state, *Effects, Call) bool { return true }
