package tools

import "slices"

// CommandLine is what a program takes on its command line, as far as people get it wrong there.
type CommandLine struct {
	Programs []string
	// Commands are all its commands, with their short forms.
	Commands []string
	// Open says that any program of a certain name, or a script of a project, may be a command, too.
	Open bool
	// Flags are long flags that are written often; others are left alone. Those that take a value end with "=".
	Flags []string
	// Instead says what words that it does not take mean most likely: commands and flags of its like. A key of two
	// words is a word behind that command; "" means that the word is to go.
	Instead map[string]string
	// Installs are the commands that install packages by their names, and Signs what stands between a name and its
	// version.
	Installs []string
	Signs    string
	// Asks are the commands that ask whether they may go on, and Yes the words that answer, the usual one first.
	Asks, Yes []string
	// Cleanups are what removes the packages and lists that it downloaded, or keeps them from being kept.
	Cleanups []string
}

// LineOf gives the command line of a program, nil if it is not known.
func LineOf(program string) *CommandLine {
	for i := range lines {
		if slices.Contains(lines[i].Programs, program) {
			return &lines[i]
		}
	}
	return nil
}

// Commands are the commands of a program, none if they are not known.
func Commands(program string) []string {
	if line := LineOf(program); line != nil {
		return line.Commands
	}
	return nil
}

// Plain reports whether a long flag takes no value.
func (l *CommandLine) Plain(flag string) bool {
	return flag == "--" || slices.Contains(l.Flags, flag)
}

// lines are the command lines, as the tools' documentation of 2026 has them.
var lines = []CommandLine{
	{
		Programs: words("apt-get apt"),
		Commands: words(`
			update upgrade install reinstall remove purge autoremove autopurge dist-upgrade dselect-upgrade build-dep
			clean autoclean check changelog download source indextargets satisfy full-upgrade distclean list search show
			policy depends rdepends edit-sources help showsrc showpkg moo`),
		Flags: words(`
			--no-install-recommends --no-install-suggests --yes --assume-yes --quiet --fix-missing --fix-broken
			--allow-unauthenticated --allow-downgrades --only-upgrade --reinstall`),
		Instead: map[string]string{
			"add":             "install",
			"--no-recommends": "--no-install-recommends",
			"--no-suggests":   "--no-install-suggests",
			"--no-cache":      "",
			"install y":       "-y",
		},
		Installs: words("install"),
		Signs:    "=",
		Asks:     words("install upgrade dist-upgrade full-upgrade remove purge autoremove build-dep"),
		Yes: words(`
			-y --yes --assume-yes --force-yes -qq --quiet=2 -q=2 --simulate --dry-run --download-only --print-uris`),
		Cleanups: []string{"/var/lib/apt/lists"},
	},
	{
		Programs: words("apk"),
		Commands: words(`
			add del fix update info list upgrade cache version policy search dot fetch index stats verify audit
			manifest mkpkg mkndx extract convdb convndx adbsign adbdump adbgen query`),
		Flags: words(`
			--no-cache --update --update-cache --allow-untrusted --upgrade --repository= --virtual=`),
		Instead: map[string]string{
			"install":      "add",
			"get":          "add",
			"i":            "add",
			"remove":       "del",
			"uninstall":    "del",
			"rm":           "del",
			"purge":        "del",
			"-y":           "",
			"--yes":        "",
			"--assume-yes": "",
			"--nocache":    "--no-cache",
		},
		Installs: words("add"),
		Signs:    "=~<>",
		Cleanups: []string{"--no-cache", "/var/cache/apk"},
	},
	{
		Programs: words("pip pip3"),
		Commands: words(`
			install download uninstall freeze inspect list show check config search cache index wheel hash completion
			debug help lock`),
		Flags: words(`
			--no-cache-dir --upgrade --user --no-deps --break-system-packages --force-reinstall --no-build-isolation
			--disable-pip-version-check --root-user-action --prefer-binary --ignore-installed --requirement=
			--index-url= --extra-index-url= --trusted-host= --target= --only-binary= --no-binary= --find-links=`),
		Instead: map[string]string{
			"add":           "install",
			"i":             "install",
			"get":           "install",
			"remove":        "uninstall",
			"update":        "install --upgrade",
			"upgrade":       "install --upgrade",
			"--r":           "-r",
			"install -y":    "",
			"install --yes": "",
		},
		Installs: words("install"),
		Signs:    "=~<>!@",
		Cleanups: []string{"--no-cache-dir", "/.cache", "cache purge"},
	},
	{
		Programs: words("npm"),
		Commands: words(`
			access add-user adduser audit bugs cache ci completion config dedupe deprecate diff dist-tag docs doctor
			edit exec explain explore find-dupes fund get help help-search hook init install install-ci-test
			install-test link ll login logout ls org outdated owner pack ping pkg prefix profile prune publish query
			rebuild repo restart root run run-script sbom search set shrinkwrap star stars start stop team test token
			trust undeprecate uninstall unpublish unstar update version view whoami i in ins inst insta instal isnt
			isnta isntal isntall add un unlink remove rm r up upgrade udpate t tst ddp rb ln la list clean-install ic
			install-clean isntall-clean cit it sit se s find v info show author issues home create innit x c why rum
			urn verison dist-tags ogr clean-install-test`),
		Flags: words(`
			--production --save-dev --global --no-audit --no-fund --legacy-peer-deps --silent --ignore-scripts
			--prefer-offline --no-optional --unsafe-perm --verbose --omit= --include= --registry= --loglevel=`),
		Instead: map[string]string{
			"build":             "run build",
			"dev":               "run dev",
			"serve":             "run serve",
			"lint":              "run lint",
			"compile":           "run compile",
			"--only-production": "--omit=dev",
			"--omit-dev":        "--omit=dev",
		},
		Installs: words("install i add"),
		Signs:    "@",
	},
	{
		Programs: words("yarn"),
		Commands: words(`
			add audit autoclean bin cache check config create dedupe dlx exec explain generate-lock-entry global help
			import info init install why licenses link list login logout node npm outdated owner pack patch
			patch-commit plugin policies prune publish rebuild remove run search self-update set stage start tag team
			test unlink unplug up upgrade upgrade-interactive version versions workspace workspaces constraints`),
		Open: true,
		Flags: words(`
			--frozen-lockfile --production --immutable --non-interactive --silent --ignore-scripts --ignore-engines
			--ignore-platform --prefer-offline --pure-lockfile --network-timeout= --network-concurrency=`),
		Instead: map[string]string{
			"--frozen-lock":     "--frozen-lockfile",
			"--freeze-lockfile": "--frozen-lockfile",
			"--lockfile-frozen": "--frozen-lockfile",
		},
		Installs: words("add"),
		Signs:    "@",
		Cleanups: []string{"yarn cache clean", "/yarn"},
	},
	{
		Programs: words("pnpm"),
		Commands: words(`
			add install i update up upgrade remove rm uninstall un unlink link ln import rebuild rb prune fetch
			install-test it patch patch-commit patch-remove audit licenses list ls outdated why run exec dlx create
			start test t server store root bin setup env pack publish config c init deploy doctor approve-builds
			ignored-builds cat-file cat-index find-hash self-update dedupe completion cache restart stop la ll`),
		Open: true,
		Flags: words(`
			--frozen-lockfile --no-frozen-lockfile --offline --ignore-scripts --shamefully-hoist --filter=`),
		Instead: map[string]string{
			"--frozen-lock": "--frozen-lockfile",
		},
	},
	{
		Programs: words("cargo"),
		Commands: words(`
			add bench build b check c clean doc d fetch fix fmt generate-lockfile help init install locate-project
			login logout metadata miri new owner package pkgid publish read-manifest remove report rm run r rustc
			rustdoc search test t tree uninstall update vendor verify-project version yank info`),
		Open: true,
		Flags: words(`
			--release --locked --frozen --offline --workspace --all-features --no-default-features --all-targets
			--features= --target= --package= --manifest-path= --profile= --target-dir=`),
		Instead: map[string]string{"build release": "--release"},
	},
	{
		Programs: words("go"),
		Commands: words(`
			bug build clean doc env fix fmt generate get help install list mod work run telemetry test tool version
			vet`),
		Instead: map[string]string{
			"mod install":  "download",
			"mod get":      "download",
			"mod-download": "mod download",
			"mod-tidy":     "mod tidy",
			"build o":      "-o",
		},
		Installs: words("install"),
		Signs:    "@",
	},
	{
		Programs: words("git"),
		Commands: words(`
			add am apply archive bisect blame branch bundle checkout cherry-pick clean clone commit config describe
			diff fetch format-patch gc grep init log ls-files ls-remote ls-tree merge mv notes pull push rebase reflog
			remote repack reset restore rev-list rev-parse revert rm show sparse-checkout stash status submodule
			switch symbolic-ref tag update-index worktree lfs cat-file hash-object credential maintenance var version
			help filter-branch replace fsck prune shortlog`),
		Open:  true,
		Flags: words("--depth= --branch= --recursive --recurse-submodules --single-branch --shallow-submodules"),
	},
	{
		Programs: words("yum"),
		Commands: words(`
			install update upgrade update-minimal downgrade reinstall remove erase autoremove clean makecache list
			info search provides whatprovides check check-update config-manager groupinstall grouplist groupupdate
			groupremove groupinfo groups group localinstall localupdate repolist history deplist distro-sync
			distribution-synchronization versionlock module swap shell mark updateinfo repoquery builddep download
			load-transaction fs fssnapshot langinstall resolvedep help repo-pkgs`),
		Open: true,
		Instead: map[string]string{
			"add": "install",
		},
		Installs: words("install"),
		Signs:    "-",
		Asks:     words("install update upgrade remove groupinstall localinstall reinstall"),
		Yes: words(`
			-y --assumeyes --downloadonly`),
		Cleanups: []string{"clean all", "/var/cache/"},
	},
	{
		Programs: words("dnf"),
		Commands: words(`
			install update upgrade upgrade-minimal downgrade reinstall remove rm erase autoremove clean makecache mc
			list ls info search se provides whatprovides check check-update check-upgrade config-manager groupinstall
			grouplist grouperase groupinfo groupremove groupupdate group grp groups localinstall repolist repoinfo
			history deplist distro-sync dsync module swap shell mark updateinfo repoquery builddep build-dep download
			alias copr debuginfo-install debug-dump needs-restarting system-upgrade offline-upgrade versionlock
			changelog help in repository-packages repo advisory environment leaves replay offline`),
		Open: true,
		Instead: map[string]string{
			"add": "install",
		},
		Installs: words("install"),
		Signs:    "-",
		Asks:     words("install update upgrade remove groupinstall reinstall"),
		Yes: words(`
			-y --assumeyes --downloadonly`),
		Cleanups: []string{"clean all", "/var/cache/"},
	},
	{
		Programs: words("microdnf"),
		Commands: words(`
			install update upgrade reinstall remove clean makecache download leaves module repolist repoquery report
			swap distro-sync`),
		Instead: map[string]string{
			"add": "install",
		},
		Installs: words("install"),
		Signs:    "-",
		Asks:     words("install update upgrade reinstall remove"), // since version 3.6
		Yes:      words("-y --assumeyes"),
		Cleanups: []string{"clean all", "/var/cache/"},
	},
	{
		Programs: words("pacman"), // whose commands are flags
		Open:     true,
		Asks:     words("-S -Sy -Syy -Su -Syu -Syyu -R -Rs -Rn -Rns -U --sync --remove --upgrade"),
		Yes:      words("--noconfirm --print -p --downloadonly -w"),
	},
	{
		Programs: words("mix"),
		Commands: words(`
			archive archive.install clean compile deps deps.clean deps.compile deps.get deps.update do escript.build
			escript.install help hex.info local.hex local.rebar new phx.digest phx.gen.release release run test`),
		Open:  true,
		Flags: words("--force --no-deps-check --overwrite --if-missing --only="),
	},
	{
		Programs: words("corepack"),
		Commands: words("enable disable install pack prepare hydrate up use cache"),
	},
	{
		Programs: words("rustup"),
		Commands: words(`
			show update check default toolchain target component override run which doc man self set completions
			install uninstall help`),
	},
	{
		Programs: words("mvn mvnw"),
		Open:     true,
		Instead:  map[string]string{"-DskipTest": "-DskipTests", "-Dskiptests": "-DskipTests"},
	},
	{
		Programs: words("composer"),
		Commands: words(`
			about archive audit browse bump check-platform-reqs clear-cache clearcache cc completion config
			create-project depends why diagnose dump-autoload dumpautoload exec fund global help home init install i
			licenses list outdated prohibits why-not reinstall remove rm uninstall repository require r run-script run
			search self-update selfupdate show info status suggests update u upgrade validate`),
		Open: true,
		Flags: words(`
			--no-dev --no-interaction --optimize-autoloader --no-scripts --prefer-dist --no-progress --no-plugins
			--ignore-platform-reqs --classmap-authoritative --no-autoloader`),
	},
	{
		Programs: words("bundle"),
		Commands: words(`
			add binstubs cache package pack check clean config console doctor env exec e fund gem help info init
			inject install issue licenses list lock open outdated platform plugin pristine remove show update version
			viz`),
		Open: true,
	},
	{
		Programs: words("gem"),
		Commands: words(`
			build cert check cleanup contents dependency environment exec fetch generate_index help info install list
			lock mirror open outdated owner pristine push query rdoc rebuild search server signin signout sources
			specification stale uninstall unpack update which yank update_system i`),
		Open:     true,
		Installs: words("install"),
		Signs:    ":",
	},
	{
		Programs: words("poetry"),
		Commands: words(`
			about add build cache check config debug env export help init install list lock new publish remove run
			search self shell show source sync update version python`),
		Open: true,
	},
	{
		Programs: words("dotnet"),
		Commands: words(`
			add build clean new nuget pack publish remove restore run sln test tool workload format list msbuild
			vstest exec dev-certs help store watch user-secrets ef`),
		Open: true,
		Instead: map[string]string{
			"install": "restore",
		},
	},
	{
		Programs: words("bun"),
		Commands: words(`
			add install i ci remove rm update outdated link unlink pm run test build create init upgrade x exec patch
			publish info why audit repl completions discord`),
		Open: true,
	},
	{
		Programs: words("zypper"),
		Commands: words(`
			install in remove rm update up dist-upgrade dup patch refresh ref addrepo ar removerepo rr modifyrepo mr
			repos lr search se info if clean cc addlock al removelock rl locks ll source-install si verify ve
			list-updates lu patches pch packages pa products pd services ls addservice as removeservice rs
			install-new-recommends inr purge-kernels download ps needs-rebooting shell sh licenses versioncmp targetos
			tos addlocale removelocale locales lifecycle`),
		Installs: words("install in"),
		Signs:    "=<>",
		Asks:     words("install in update up remove rm patch"),
		Yes: words(`
			-y --non-interactive --no-confirm -n --dry-run`),
		Cleanups: []string{"zypper clean", "zypper cc", "/var/cache/"},
	},
	{
		Programs: words("uv"),
		Commands: words(`
			auth run init add remove version sync lock export tree format tool python pip venv build publish cache
			self help generate-shell-completion`),
	},
	{
		Programs: words("conda mamba"),
		Commands: words(`
			activate clean compare config create deactivate env info init install list notices package remove rename
			run search uninstall update upgrade build repoquery doctor export`),
		Open: true,
		Asks: words("install create update remove"),
		Yes: words(`
			-y --yes --dry-run -d --download-only`),
	},
}
