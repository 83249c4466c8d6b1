package reference

// Directives are the parser directives.
var Directives = []Entry{
	{
		Name: "syntax", Anchor: "syntax", Value: "docker/dockerfile:1", Summary: "The frontend that reads the file",
		Text: "An image that BuildKit fetches and lets read the Dockerfile: with `docker/dockerfile:1` new " +
			"instructions and flags work on an old builder too. It must stand at the top of the file.",
		Syntax:  []string{"# syntax=image"},
		Example: "# syntax=docker/dockerfile:1",
		Values: values(
			"docker/dockerfile:1",
			"The newest stable version 1",
			"docker/dockerfile:1-labs",
			"The newest version 1, with what is not stable yet",
			"docker/dockerfile-upstream:master",
			"The newest state of development",
		),
	},
	{
		Name: "escape", Anchor: "escape", Value: "`", Closed: true, Summary: "The character that escapes, and " +
			"continues lines",
		Text:    "The backslash by default. With the backtick, paths of Windows can be written as they are.",
		Syntax:  []string{`# escape=\`},
		Example: "# escape=`",
		Values:  values("`", "Backslashes stand for themselves", `\`, "The default"),
	},
	{
		Name: "check", Anchor: "check", Since: "1.8", Value: "skip=all", Summary: "Which build checks run",
		Text: "`skip=` names checks, with commas between, that are left out, or `all`; `error=true` lets the " +
			"build fail at findings; `experimental=` names checks that are still tried out. Parts are parted by `;`. " +
			"Above an instruction, `# check=skip=…` holds for that one.",
		Syntax:  []string{"# check=skip=check"},
		Example: "# check=skip=JSONArgsRecommended,StageNameCasing;error=true",
		Values: values(
			"skip=",
			"Checks to leave out, parted by commas",
			"skip=all",
			"Leave out all checks",
			"error=true",
			"Findings make the build fail",
			"experimental=",
			"Checks that are still tried out, or `all`",
		),
	},
}

// PredefinedArgs are the build arguments that BuildKit knows by itself. Those of the platform are there for FROM; a
// stage must declare them. The proxies are there without, and are not kept in the image.
var PredefinedArgs = []Entry{
	platformArg("TARGETPLATFORM", "The platform that is built for, such as `linux/arm64/v8`"),
	platformArg("TARGETOS", "The operating system that is built for"),
	platformArg("TARGETARCH", "The architecture that is built for, such as `arm64`"),
	platformArg("TARGETVARIANT", "The architecture's variant that is built for, such as `v8`"),
	platformArg("TARGETOSVERSION", "The operating system's version that is built for, on Windows"),
	platformArg("TARGETSTAGE", "The name of the stage that is built, `default` if none was asked for"),
	platformArg("BUILDPLATFORM", "The platform of the builder itself"),
	platformArg("BUILDOS", "The operating system of the builder itself"),
	platformArg("BUILDARCH", "The architecture of the builder itself"),
	platformArg("BUILDVARIANT", "The architecture's variant of the builder itself"),
	platformArg("BUILDOSVERSION", "The operating system's version of the builder itself, on Windows"),
	proxyArg("HTTP_PROXY", "The proxy for HTTP"), proxyArg("http_proxy", "The proxy for HTTP"),
	proxyArg("HTTPS_PROXY", "The proxy for HTTPS"), proxyArg("https_proxy", "The proxy for HTTPS"),
	proxyArg("FTP_PROXY", "The proxy for FTP"), proxyArg("ftp_proxy", "The proxy for FTP"),
	proxyArg(
		"NO_PROXY",
		"The hosts that are reached without a proxy",
	), proxyArg("no_proxy", "The hosts that are reached without a proxy"),
	proxyArg("ALL_PROXY", "The proxy for everything else"), proxyArg("all_proxy", "The proxy for everything else"),
	builtinArg("SOURCE_DATE_EPOCH", "The time, in seconds since 1970, that the image and its files are dated"),
	builtinArg("BUILDKIT_SYNTAX", "The frontend that reads the file, instead of the directive's"),
	builtinArg("BUILDKIT_DOCKERFILE_CHECK", "The options of the build checks, as the directive `check` takes them"),
	builtinArg("BUILDKIT_CONTEXT_KEEP_GIT_DIR", "1 keeps `.git` in a context that is a git repository"),
	builtinArg("BUILDKIT_GIT_ADVICE", "1 shows what git advises while a repository is fetched"),
	builtinArg("BUILDKIT_INLINE_CACHE", "1 writes the cache's metadata into the image"),
	builtinArg("BUILDKIT_MULTI_PLATFORM", "1 makes the image one for several platforms, also if it is for one"),
	builtinArg("BUILDKIT_SANDBOX_HOSTNAME", "The host name that commands see"),
	builtinArg("BUILDKIT_CACHE_MOUNT_NS", "A prefix for the ids of cache mounts"),
	builtinArg("BUILDKIT_SBOM_SCAN_CONTEXT", "Whether the build context is scanned for the bill of materials"),
	builtinArg("BUILDKIT_SBOM_SCAN_STAGE", "Whether this stage is scanned for the bill of materials"),
}

// FromArg reports whether FROM knows the predefined argument: the others are for stages.
func FromArg(e *Entry) bool { return e.Anchor == "automatic-platform-args-in-the-global-scope" }

// ProxyArg reports whether a stage knows the predefined argument without an ARG.
func ProxyArg(e *Entry) bool { return e.Anchor == "predefined-args" }

func platformArg(name, summary string) Entry {
	return Entry{
		Name:    name,
		Summary: summary,
		Anchor:  "automatic-platform-args-in-the-global-scope",
		Text:    "BuildKit sets it. `FROM` can use it as it is; a stage needs `ARG " + name + "`.",
	}
}

func proxyArg(name, summary string) Entry {
	return Entry{
		Name:    name,
		Summary: summary,
		Anchor:  "predefined-args",
		Text: "It can be given to the build without an `ARG`. It does not count for the build cache and is not " +
			"kept in the image's history.",
	}
}

func builtinArg(name, summary string) Entry {
	return Entry{
		Name:    name,
		Summary: summary,
		Anchor:  "buildkit-built-in-build-args",
		Text:    "A build argument that BuildKit itself obeys.",
	}
}

// Signals are what STOPSIGNAL takes, those that programs handle first.
var Signals = values(
	"SIGTERM",
	"Please end; the default (15)",
	"SIGINT",
	"Interrupt, as by Ctrl-C (2)",
	"SIGQUIT",
	"Quit; nginx and others end gracefully (3)",
	"SIGHUP",
	"Hang up; often: read the configuration anew (1)",
	"SIGUSR1",
	"For the program's own use (10)",
	"SIGUSR2",
	"For the program's own use (12)",
	"SIGWINCH",
	"The window changed; Apache ends gracefully (28)",
	"SIGKILL",
	"End at once, without clearing up (9)",
	"SIGABRT",
	"Abort (6)",
	"SIGALRM",
	"An alarm (14)",
	"SIGCONT",
	"Go on (18)",
	"SIGSTOP",
	"Stop, to go on later (19)",
	"SIGPIPE",
	"A pipe broke (13)",
	"SIGRTMIN+3",
	"Halt, to systemd",
)

// Protocols are what EXPOSE takes behind the slash.
var Protocols = values("tcp", "The default", "udp", "User datagrams", "sctp", "Stream control transmission")

// Shells are common values of SHELL.
var Shells = values(
	`["/bin/sh", "-c"]`, "The default on Linux",
	`["/bin/sh", "-ec"]`, "Stops at the first command that fails",
	`["/bin/bash", "-c"]`, "Bash",
	`["/bin/bash", "-o", "pipefail", "-c"]`, "Bash; a pipe fails if any of its commands does",
	`["/bin/bash", "-euxo", "pipefail", "-c"]`, "Bash; stops at what fails or is unset, and shows what it runs",
	`["/bin/ash", "-eo", "pipefail", "-c"]`, "Alpine's shell; a pipe fails if any of its commands does",
	`["cmd", "/S", "/C"]`, "The default on Windows",
	`["powershell", "-Command", "$ErrorActionPreference = 'Stop'; $ProgressPreference = 'SilentlyContinue';"]`,
	"PowerShell; stops at the first error, draws no progress",
	`["powershell", "-Command"]`, "PowerShell",
	`["pwsh", "-Command", "$ErrorActionPreference = 'Stop';"]`, "PowerShell 7; stops at the first error",
)

// Platforms are common values of FROM --platform.
var Platforms = values(
	"$BUILDPLATFORM",
	"The builder's own: no emulation",
	"$TARGETPLATFORM",
	"What is built for; the same as without the flag",
	"linux/amd64",
	"64-bit x86",
	"linux/arm64",
	"64-bit ARM",
	"linux/arm/v7",
	"32-bit ARM",
	"linux/arm/v6",
	"Old 32-bit ARM",
	"linux/386",
	"32-bit x86",
	"linux/ppc64le",
	"POWER",
	"linux/s390x",
	"IBM Z",
	"linux/riscv64",
	"RISC-V",
	"windows/amd64",
	"Windows",
)

// Modifiers are what may follow a variable's name in "${name".
var Modifiers = values(
	":-",
	"Else: the word, if the variable is unset or empty",
	"-",
	"Else: the word, if it is unset",
	":+",
	"The word, if it is set and not empty; else nothing",
	"+",
	"The word, if it is set",
	":?",
	"Fail with the word as message, if it is unset or empty",
	"?",
	"Fail with the word as message, if it is unset",
	"#",
	"Without the shortest match of the pattern at its start",
	"##",
	"Without the longest match of the pattern at its start",
	"%",
	"Without the shortest match of the pattern at its end",
	"%%",
	"Without the longest match of the pattern at its end",
	"/",
	"With the first match of a pattern replaced: `${name/pattern/by}`",
	"//",
	"With all matches of a pattern replaced: `${name//pattern/by}`",
)
