package effects

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	// debianPackage is a name of a package, with an architecture or a version.
	debianPackage = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*(:[a-z0-9-]+)?(=[A-Za-z0-9.+:~*-]+)?[+-]?$`)
	packageFile   = regexp.MustCompile(`\.(deb|rpm|apk|changes|dsc|tgz|xml)$`)
	alpinePackage = regexp.MustCompile(`^(\.?[a-z0-9_][A-Za-z0-9_+.-]*)((@|=|~=?|<=?|>=?)[A-Za-z0-9_.~+-]+)*$`)
	fedoraPackage = regexp.MustCompile(`^@?[A-Za-z0-9][A-Za-z0-9_+.:~()-]*$`)
	// aptSetting is a setting of apt that names no file and runs nothing.
	aptSetting = regexp.MustCompile(
		`^(Acquire::(Retries|http::(Timeout|Pipeline-Depth|No-Cache)|https::(Timeout|Verify-Peer)|ForceIPv4|Check-Valid-Until|Queue-Mode|Languages)|APT::(Install-Recommends|Install-Suggests|Get::(Assume-Yes|AllowUnauthenticated))|` +
			`Dpkg::Use-Pty|Dpkg::Options::|DPkg::Lock::Timeout|Dpkg::Progress-Fancy)=("?[A-Za-z0-9.-]+"?)$`,
	)
)

const aptOptions = "-y --yes --assume-yes -q --quiet -qq --no-install-recommends --no-install-suggests " +
	"--install-recommends --fix-missing --fix-broken -f -m --allow-downgrades --allow-change-held-packages " +
	"--allow-unauthenticated --force-yes --purge --auto-remove --autoremove " +
	"-V --verbose-versions --reinstall --only-upgrade --no-upgrade --allow-releaseinfo-change --no-show-progress -t= " +
	"--target-release= --default-release= -o= --option= -u --show-upgraded"

// apt installs packages by name. Packages in files, and settings of the project's own, are not known.
func apt(s *state, e *Effects, c Call) bool {
	l, ok := c.line(aptOptions)
	if !ok || c.Dynamic || len(l.words) == 0 ||
		!slices.Contains(
			strings.Fields("update install upgrade dist-upgrade full-upgrade remove purge autoremove clean autoclean"),
			l.words[0],
		) ||
		s.hooked ||
		s.copiedTo("/etc/apt/", "/etc/apt/keyrings/", "/etc/apt/trusted.gpg.d/") ||
		s.copiedTo("/etc/dpkg/") ||
		s.copiedTo("/etc/ca-certificates/") ||
		s.copiedTo("/etc/kernel/") ||
		s.copiedTo("/var/lib/dpkg/") {
		return false
	}
	for _, setting := range slices.Concat(l.values["-o"], l.values["--option"]) {
		if !aptSetting.MatchString(setting) {
			return false
		}
	}
	if slices.ContainsFunc(
		l.words[1:],
		func(w string) bool { return !debianPackage.MatchString(w) || packageFile.MatchString(w) },
	) {
		return false
	}
	return e.packages(s, c)
}

// apk installs packages by name.
func apk(s *state, e *Effects, c Call) bool {
	l, ok := c.line(
		"--no-cache -U --update-cache --update -u --upgrade -q --quiet -v --verbose --no-progress -l --latest " +
			"--purge --available --no-interactive -f --force --force-overwrite --clean-protected -t= --virtual= -X= " +
			"--repository= --wait= --rdepends",
	)
	if !ok || c.Dynamic || len(l.words) == 0 ||
		!slices.Contains(strings.Fields("add del update upgrade fix"), l.words[0]) && !l.only("cache", "clean") ||
		s.hooked ||
		s.copiedTo("/etc/apk/", "/etc/apk/keys/") {
		return false
	}
	for _, from := range slices.Concat(l.values["-X"], l.values["--repository"]) {
		if !strings.HasPrefix(from, "http") {
			return false
		}
	}
	if slices.ContainsFunc(
		l.words[1:],
		func(w string) bool { return !alpinePackage.MatchString(w) || packageFile.MatchString(w) },
	) {
		return false
	}
	return e.packages(s, c)
}

// dnf installs packages by name.
func dnf(s *state, e *Effects, c Call) bool {
	l, ok := c.line(
		"-y --assumeyes -q --quiet -v --best --nobest --allowerasing --skip-broken --refresh --nodocs --nogpgcheck " +
			"--enablerepo= --disablerepo= --setopt= --disableplugin= --releasever= --exclude= -x= --noplugins",
	)
	if !ok || c.Dynamic || len(l.words) == 0 ||
		!slices.Contains(
			strings.Fields("install update upgrade remove erase clean makecache autoremove groupinstall reinstall"),
			l.words[0],
		) ||
		s.hooked ||
		s.copiedTo("/etc/yum.repos.d/") ||
		s.copiedTo("/etc/dnf/") ||
		s.copiedTo("/etc/yum/") ||
		s.copiedTo("/etc/rpm/") ||
		s.copiedTo("/root/.rpmmacros") ||
		s.copiedTo("/etc/yum.conf") {
		return false
	}
	for _, setting := range l.values["--setopt"] {
		if !slices.Contains(
			strings.Fields(
				"install_weak_deps=False install_weak_deps=false install_weak_deps=0 tsflags=nodocs keepcache=0 "+
					"keepcache=1 fastestmirror=1 max_parallel_downloads=10",
			),
			setting,
		) {
			return false
		}
	}
	if slices.ContainsFunc(
		l.words[1:],
		func(w string) bool { return !fedoraPackage.MatchString(w) || packageFile.MatchString(w) },
	) {
		return false
	}
	return e.packages(s, c)
}

// packages adds what installs packages of the system.
func (e *Effects) packages(s *state, c Call) bool {
	e.system(true)
	e.Packages = true
	own := func(dir string) bool { return dir == "/tmp/" } // what it has not made there itself is nothing to it
	e.Reads, e.Writes = slices.DeleteFunc(e.Reads, own), slices.DeleteFunc(e.Writes, own)
	for _, dir := range []string{"/opt/", "/var/www/", "/srv/"} {
		e.Reads, e.Writes = append(e.Reads, dir), append(e.Writes, dir)
	}
	e.Reads = append(e.Reads, "env:?")
	return s.steered(e, c)
}

// copiedTo reports whether anything was copied into a directory, but for these directories in it.
func (s *state) copiedTo(dir string, but ...string) bool {
	return slices.ContainsFunc(s.copied, func(place string) bool {
		return Overlap(place, dir) &&
			!slices.ContainsFunc(but, func(b string) bool { return strings.HasPrefix(place, b) })
	})
}

// hooks notes that a command that is no package manager has put something into the settings of one that may steer it.
func (s *state) hooks(e *Effects, text string) {
	if e.manager || e.Opaque {
		return
	}
	for _, w := range e.Writes {
		for _, dir := range []string{"/etc/apt/apt.conf.d/", "/etc/apt/apt.conf", "/etc/apt/sources.list.d/",
			"/etc/apt/sources.list", "/etc/apt/preferences.d/", "/etc/dpkg/", "/etc/apk/", "/etc/yum.repos.d/",
			"/etc/dnf/", "/etc/yum.conf"} {
			if Overlap(w, dir) &&
				(text == "" || slices.ContainsFunc([]string{"file:", "copy:", "cdrom:", "nvoke", "Dir::", "Run", "_hooks.d"},
					func(part string) bool { return strings.Contains(text, part) })) {
				s.hooked = true
			}
		}
	}
}

var plainNames = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_]*(-[0-9][0-9A-Za-z.]*|-stable|-beta|-alpha)?$`)

// systemTool is one of a few tools that are only given names.
func systemTool(s *state, e *Effects, c Call) bool {
	options := map[string]string{
		"apt-mark": "-q", "locale-gen": "", "update-ca-certificates": "--fresh -f", "a2enmod": "-q -f",
		"a2dismod": "-q -f", "docker-php-ext-install": "-j= --ini-name=", "docker-php-ext-enable": "--ini-name=",
		"docker-php-ext-configure": "--with-freetype[=] --with-jpeg[=] --with-webp[=] --with-xpm[=] --with-zip[=] " +
			"--with-libzip[=] --with-png-dir[=] --with-jpeg-dir[=] --with-freetype-dir[=] --enable-gd " +
			"--with-pgsql[=] --with-pdo-pgsql[=] --with-imap-ssl --with-kerberos --enable-intl --with-gettext",
		"pecl": "",
	}[c.Args[0]]
	l, ok := c.line(options)
	if !ok || c.Dynamic {
		return false
	}
	names := l.words
	switch c.Args[0] {
	case "apt-mark":
		if len(names) < 1 || !slices.Contains([]string{"hold", "unhold", "auto", "manual"}, names[0]) ||
			slices.ContainsFunc(names[1:], func(w string) bool { return !debianPackage.MatchString(w) }) {
			return false
		}
		names = nil
	case "pecl":
		if len(names) < 2 || names[0] != "install" {
			return false
		}
		names = names[1:]
		e.Reads = append(e.Reads, "cwd")
		for _, name := range names { // a file of the name comes first
			if c.cwd == "" || c.exists(s, name) {
				return false
			}
			e.Reads = append(e.Reads, path.Join(c.cwd, name))
		}
	}
	if slices.ContainsFunc(names, func(w string) bool { return !plainNames.MatchString(w) }) ||
		s.copiedTo("/usr/local/etc/php/") ||
		s.copiedTo("/etc/ssl/") ||
		s.copiedTo("/etc/ca-certificates") ||
		s.copiedTo("/usr/src/php/") {
		return false
	}
	for _, values := range l.values {
		if slices.ContainsFunc(values, func(v string) bool {
			return v != "" && !plainNames.MatchString(v) && v != "/usr" && v != "/usr/" &&
				!strings.HasPrefix(v, "/usr/include") &&
				v != "/usr/local"
		}) {
			return false
		}
	}
	return e.packages(s, c)
}
