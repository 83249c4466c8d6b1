package reference

// Instructions are all instructions, sorted.
var Instructions = []Instruction{
	{
		Entry: Entry{
			Name: "ADD", Anchor: "add", Summary: "Copy files, URLs or git repositories into the image",
			Text: "Like `COPY`, but a source may also be a URL or a git repository, and a local tar archive is " +
				"unpacked where it is put. " +
				"For files of the build context `COPY` says more plainly what happens. A remote file is checked with " +
				"`--checksum`.",
			Syntax: []string{"ADD [flags] source ... dest", `ADD [flags] [ "source", ..., "dest" ]`},
			Example: "ADD --checksum=sha256:24454f83… https://example.com/tool.tar.gz /opt/\nADD rootfs.tar.xz /\n" +
				"ADD https://github.com/moby/buildkit.git#v0.14.1 /src",
		},
		Words:    copyWords,
		Snippets: []string{"ADD ${1:source} ${2:dest}"},
		Flags: []Entry{
			chown("add---chown---chmod"), chmod("add---chown---chmod"), link("add---link"),
			{
				Name: "checksum", Anchor: "add---checksum", Since: "1.6", Value: "algorithm:digest",
				Summary: "Check what is downloaded against a digest",
				Text: "The build fails if the file behind the URL has another digest. For a git repository it is " +
					"the commit's id. With it, a changed remote file is noticed instead of built in.",
				Syntax:  []string{"--checksum=sha256:digest"},
				Example: "ADD --checksum=sha256:24454f83… https://example.com/tool.tar.gz /opt/",
				Values:  values("sha256:", "The SHA-256 digest, in hexadecimal"),
			},
			exclude("add---exclude"),
			{
				Name: "keep-git-dir", Anchor: "add---keep-git-dir", Since: "1.1", Value: "", Values: booleans,
				Closed: true, Summary: "Keep the .git directory of a repository",
				Text:    "Without it only the files of the commit are put into the image.",
				Syntax:  []string{"--keep-git-dir=true"},
				Example: "ADD --keep-git-dir=true https://github.com/moby/buildkit.git#v0.14.1 /src",
			},
			{
				Name: "unpack", Anchor: "add---unpack", Since: "1.17", Values: booleans, Closed: true,
				Summary: "Unpack tar archives, or leave them packed",
				Text: "By default archives of the build context are unpacked and those from a URL are not. `true` " +
					"unpacks both, `false` neither.",
				Syntax:  []string{"--unpack=true"},
				Example: "ADD --unpack=true https://example.com/tool.tar.gz /opt/",
			},
		},
	},
	{
		Entry: Entry{
			Name: "ARG", Anchor: "arg", Summary: "Declare a variable that the build can be given",
			Text: "`docker build --build-arg name=value` sets it; else the default counts. It holds from its line to " +
				"the end of the stage and is not in the environment of the finished image. " +
				"An `ARG` above the first `FROM` counts for `FROM` only, until a stage declares it again. Its value " +
				"stays in the image's history: it is not a place for secrets.",
			Syntax:  []string{"ARG name", "ARG name=defaultValue"},
			Example: "ARG GO_VERSION=1.23\nFROM golang:${GO_VERSION}\nARG GO_VERSION",
		},
		Words: map[string]string{
			"name":         "The variable's name",
			"defaultValue": "Its value if the build is given none",
		},
		Snippets: []string{"ARG ${1:name}", "ARG ${1:name}=${2:defaultValue}"},
	},
	{
		Entry: Entry{
			Name: "CMD", Anchor: "cmd", Summary: "What a container runs, unless told otherwise",
			Text: "The command of `docker run` takes its place. Behind an `ENTRYPOINT` in exec form it gives that " +
				"one's default arguments. Only the last `CMD` of a stage counts. " +
				"The exec form (a JSON array) starts the program itself, so that it gets signals; the shell form " +
				"starts it through a shell, which expands variables.",
			Syntax: []string{
				`CMD [ "executable", "parameter", ... ]`,
				`CMD [ "parameter", "parameter2", ... ]`,
				"CMD executable parameter ...",
			},
			Example: "CMD [\"node\", \"server.js\"]",
		},
		Words:    execWords,
		Snippets: []string{`CMD [ "${1:executable}" ]`},
	},
	{
		Entry: Entry{
			Name: "COPY", Anchor: "copy", Summary: "Copy files into the image",
			Text: "Sources are paths in the build context or, with `--from`, in another stage or image; they may " +
				"hold wildcards. A directory's contents are copied, not the directory itself. " +
				"A destination that ends with `/` is a directory; a relative one lies in the `WORKDIR`. What " +
				"`.dockerignore` leaves out is not there to be copied. " +
				"The step is built again when a file that it copies has changed. With a here-document the file's " +
				"text stands in the Dockerfile.",
			Syntax: []string{"COPY [flags] source ... dest", `COPY [flags] [ "source", ..., "dest" ]`},
			Example: "COPY package.json package-lock.json ./\nCOPY --from=build /out/app /usr/local/bin/\nCOPY <<EOF " +
				"/etc/app.conf\nport=80\nEOF",
		},
		Words:    copyWords,
		Snippets: []string{"COPY ${1:source} ${2:dest}"},
		Flags: []Entry{
			{
				Name: "from", Anchor: "copy---from", Value: "stage", Summary: "Copy from a stage, an image or a " +
					"named context",
				Text: "A stage is named by its `AS` name or its number, from 0, and must stand above. Another name " +
					"is that of a build context given by `--build-context`, or of an image, which is pulled. " +
					"Variables are not expanded here.",
				Syntax:  []string{"--from=stage"},
				Example: "COPY --from=build /out/app /app\nCOPY --from=nginx:alpine /etc/nginx/nginx.conf /etc/nginx/",
			},
			chown("copy---chown---chmod"), chmod("copy---chown---chmod"), link("copy---link"),
			{
				Name: "parents", Anchor: "copy---parents", Since: "1.20", Values: booleans, Closed: true,
				Summary: "Keep the directories above each source",
				Text: "`COPY --parents src/a/x.go /dest/` writes `/dest/src/a/x.go`, not `/dest/x.go`. `/./` in a " +
					"source marks where the kept part begins.",
				Syntax:  []string{"--parents"},
				Example: "COPY --parents ./**/package.json ./",
			},
			exclude("copy---exclude"),
		},
	},
	{
		Entry: Entry{
			Name: "ENTRYPOINT", Anchor: "entrypoint", Summary: "The program that a container runs",
			Text: "The arguments of `docker run`, or those of `CMD`, are appended to the exec form. The shell form " +
				"takes none, and runs under a shell, which does not pass signals on. " +
				"Only the last `ENTRYPOINT` of a stage counts; it drops a `CMD` of the base image.",
			Syntax:  []string{`ENTRYPOINT [ "executable", "parameter", ... ]`, "ENTRYPOINT executable parameter ..."},
			Example: "ENTRYPOINT [\"/usr/bin/app\"]\nCMD [\"--help\"]",
		},
		Words:    execWords,
		Snippets: []string{`ENTRYPOINT [ "${1:executable}" ]`},
	},
	{
		Entry: Entry{
			Name: "ENV", Anchor: "env", Summary: "Set environment variables",
			Text: "They hold for the instructions below in the stage, for stages built on it, and in containers. All " +
				"of one `ENV` are set at once: one cannot use another of the same line. " +
				"For what only the build needs use `ARG`, or set it within the `RUN`.",
			Syntax:  []string{"ENV key=value", "ENV key=value key2=value2", "ENV key value"},
			Example: "ENV NODE_ENV=production \\\n    PATH=/app/bin:$PATH",
		},
		Words:    pairWords,
		Snippets: []string{"ENV ${1:key}=${2:value}"},
	},
	{
		Entry: Entry{
			Name: "EXPOSE", Anchor: "expose", Summary: "Note the ports that the container listens on",
			Text: "It publishes nothing: that is what `docker run -p` does. `docker run -P` publishes all that " +
				"are noted here. Without a protocol it is TCP.",
			Syntax:  []string{"EXPOSE port ..."},
			Example: "EXPOSE 80\nEXPOSE 53/tcp 53/udp\nEXPOSE 8000-8010",
		},
		Words: map[string]string{
			"port": "A port or a range of ports, perhaps with a protocol: `80`, `53/udp`, `8000-8010`",
			"...":  "More ports",
		},
		Snippets: []string{"EXPOSE ${1:port}"},
	},
	{
		Entry: Entry{
			Name: "FROM", Anchor: "from", Summary: "Begin a stage on a base image",
			Text: "The base is an image, an earlier stage, or `scratch`, the empty image. `AS` names the stage, for " +
				"`COPY --from`, `FROM` and `docker build --target`. " +
				"The last stage is the one that is built by default. Only `ARG` may stand above the first `FROM`.",
			Syntax: []string{
				"FROM baseImage", "FROM baseImage:tag", "FROM baseImage@digest", "FROM baseImage AS " +
					"stage", "FROM baseImage:tag AS stage", "FROM baseImage@digest AS stage",
			},
			Example: "FROM golang:1.23 AS build\nFROM --platform=$BUILDPLATFORM node:22-alpine AS web\nFROM scratch",
		},
		Words: map[string]string{
			"baseImage": "The image's name, with its registry if that is not Docker Hub; or an earlier stage; or " +
				"`scratch`",
			"tag":    "Which version of the image, `latest` if left out",
			"digest": "The digest of exactly one version: `sha256:…`",
			"AS":     "Names the stage",
			"stage":  "The stage's name: lower case letters, digits, `-`, `_` and `.`",
		},
		Snippets: []string{"FROM ${1:baseImage}", "FROM ${1:baseImage} AS ${2:stage}"},
		Flags: []Entry{{
			Name: "platform", Anchor: "from", Value: "platform", Summary: "The platform of the base image",
			Text: "By default that which is built for. `$BUILDPLATFORM` is the builder's own: a compiler that " +
				"runs natively there is much faster than an emulated one.",
			Syntax:  []string{"--platform=platform"},
			Example: "FROM --platform=$BUILDPLATFORM golang:1.23 AS build",
			Values:  Platforms,
		}},
	},
	{
		Entry: Entry{
			Name: "HEALTHCHECK", Anchor: "healthcheck", Summary: "How to tell whether a container is well",
			Text: "The command runs in the container every now and then: exit code 0 is healthy, 1 unhealthy. `NONE` " +
				"switches off a check of the base image. " +
				"Only the last `HEALTHCHECK` of a stage counts.",
			Syntax:  []string{"HEALTHCHECK [flags] CMD ...", "HEALTHCHECK NONE"},
			Example: "HEALTHCHECK --interval=30s --timeout=3s CMD curl -f http://localhost/ || exit 1",
		},
		Words: map[string]string{
			"[flags]": "How often, how long and how many " +
				"times", "CMD": "The command that checks, in shell or exec " +
				"form", "...": "The command", "NONE": "No check, also none of the base image's",
		},
		Snippets: []string{
			`HEALTHCHECK --interval=${1:30s} --timeout=${2:30s} --start-period=${3:5s} --retries=${4:3} CMD [ "${5:executable}" ]`, "HEALTHCHECK NONE",
		},
		Flags: []Entry{
			duration(
				"interval",
				"30s",
				"How long from one check to the next",
				"Also how long before the first one, after the container has started. The default is 30 seconds.",
			),
			duration(
				"timeout",
				"30s",
				"How long one check may take",
				"A check that takes longer has failed. The default is 30 seconds.",
			),
			duration(
				"start-period",
				"5s",
				"How long the container may take to start",
				"Checks that fail in that time do not count. The default is 0.",
			),
			duration(
				"start-interval",
				"5s",
				"How long from one check to the next while it starts",
				"It holds within the start period; needs Docker Engine 25. The default is 5 seconds.",
			),
			{
				Name: "retries", Anchor: "healthcheck", Value: "3", Summary: "How many checks in a row must " +
					"fail", Text: "After so many the container counts as unhealthy. The default is 3.",
				Values: values("3", "The default", "5", "", "10", "", "1", "At the first failure"),
				Syntax: []string{"--retries=3"}, Example: "HEALTHCHECK --retries=3 CMD curl -f http://localhost/",
			},
		},
	},
	{
		Entry: Entry{
			Name: "LABEL", Anchor: "label", Summary: "Add metadata to the image",
			Text: "Labels are inherited from the base image; the same key is set anew. " +
				"`org.opencontainers.image.*` are the keys that registries and tools know.",
			Syntax:  []string{"LABEL key=value", "LABEL key=value key2=value2", "LABEL key value"},
			Example: "LABEL org.opencontainers.image.source=\"https://github.com/example/app\"",
		},
		Words:    pairWords,
		Snippets: []string{`LABEL ${1:key}="${2:value}"`},
	},
	{
		Entry: Entry{
			Name: "MAINTAINER", Anchor: "maintainer-deprecated", Summary: "Name the image's author (deprecated)",
			Text: "Use `LABEL org.opencontainers.image.authors=\"…\"` instead: labels can be inspected, and more " +
				"than one set.",
			Syntax:  []string{"MAINTAINER name"},
			Example: "LABEL org.opencontainers.image.authors=\"someone@example.com\"",
		},
		Words:    map[string]string{"name": "The author"},
		Snippets: []string{"MAINTAINER ${1:name}"},
	},
	{
		Entry: Entry{
			Name: "ONBUILD", Anchor: "onbuild", Summary: "An instruction for builds on top of this image",
			Text: "It is not carried out now, but when another Dockerfile is built `FROM` this image, right " +
				"behind its `FROM`. `ONBUILD`, `FROM` and `MAINTAINER` cannot be triggers.",
			Syntax:  []string{"ONBUILD INSTRUCTION"},
			Example: "ONBUILD COPY . /app\nONBUILD RUN make",
		},
		Words:    map[string]string{"INSTRUCTION": "Any instruction but `FROM`, `MAINTAINER` and `ONBUILD`"},
		Snippets: []string{"ONBUILD ${1:INSTRUCTION}"},
	},
	{
		Entry: Entry{
			Name: "RUN", Anchor: "run", Summary: "Run a command and keep what it changes",
			Text: "The shell form is run by the `SHELL` (`/bin/sh -c` on Linux); the exec form starts the program " +
				"itself. A here-document holds several lines of script. " +
				"The step is taken from the cache as long as its text and everything above are unchanged: that the " +
				"command would give something else today does not count.",
			Syntax: []string{"RUN [flags] command parameter ...", `RUN [flags] [ "command", "parameter", ... ]`},
			Example: "RUN --mount=type=cache,target=/var/cache/apt apt-get update && apt-get install -y curl\nRUN " +
				"<<EOF\nset -e\nmake\nmake install\nEOF",
		},
		Words: map[string]string{
			"[flags]": "`--mount`, `--network`, `--security`, " +
				"`--device`", "[": "Begins the exec form, a JSON array", "]": "Ends the exec form",
			"command": "The program to " +
				"run", `"command"`: "The program to " +
				"run", "parameter": "An argument", `"parameter"`: "An argument", "...": "More arguments",
		},
		Snippets: []string{"RUN ${1:command}"},
		Flags: []Entry{
			{
				Name: "mount", Anchor: "run---mount", Since: "1.2", Value: "type=cache,target=",
				Summary: "Give the command files that do not become part of the image",
				Text: "`bind` shows it files of the context or of another stage, `cache` a directory that lives " +
					"on between builds, `tmpfs` one in memory, `secret` a secret, `ssh` the SSH agent. It may be " +
					"given several times.",
				Syntax: []string{"--mount=type=type,key=value,..."},
				Example: "RUN --mount=type=cache,target=/root/.cache/go-build go build ./...\nRUN " +
					"--mount=type=secret,id=npmrc,target=/root/.npmrc npm ci",
			},
			{
				Name: "network", Anchor: "run---network", Since: "1.3", Value: "mode", Closed: true,
				Summary: "Which network the command sees",
				Text: "`none` shows that a step needs nothing from outside. `host` needs the entitlement " +
					"`network.host`.", Syntax: []string{"--network=mode"},
				Values: values(
					"default",
					"The builder's network, as without the flag",
					"none",
					"No network but the loopback",
					"host",
					"The builder's host's own network; the build must allow it",
				),
			},
			{
				Name: "security", Anchor: "run---security", Since: "1.20", Value: "mode", Closed: true,
				Summary: "What the command may do",
				Text: "`insecure` runs it without a sandbox, like `docker run --privileged`; needs the entitlement " +
					"`security.insecure`.", Syntax: []string{"--security=mode"},
				Values: values(
					"sandbox",
					"In the sandbox, as without the flag",
					"insecure",
					"Privileged; the build must allow it",
				),
			},
			{
				Name: "device", Anchor: "run---device", Since: "1.14-labs", Value: "name=device",
				Summary: "Give the command a device",
				Text: "The device is named as the Container Device Interface names it: `vendor/class=name`, or " +
					"`*` for all of a class. `required=false` goes on without it.",
				Syntax:  []string{"--device=name=vendor/class,required=true"},
				Example: "# syntax=docker/dockerfile:1-labs\nRUN --device=nvidia.com/gpu=all nvidia-smi",
				Values: values(
					"name=",
					"The device or class of devices",
					"required=",
					"Whether the build fails without it: `true` (the default) or `false`",
				),
			},
		},
	},
	{
		Entry: Entry{
			Name: "SHELL", Anchor: "shell", Summary: "The shell that runs commands in shell form",
			Text: "It holds for `RUN`, `CMD`, `ENTRYPOINT` and `HEALTHCHECK` below in the stage, and in " +
				"containers. It must be written as a JSON array.",
			Syntax:  []string{`SHELL [ "executable", "parameter", ... ]`},
			Example: "SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]",
			Values:  Shells,
		},
		Words:    execWords,
		Snippets: []string{`SHELL [ "${1:executable}" ]`},
	},
	{
		Entry: Entry{
			Name: "STOPSIGNAL", Anchor: "stopsignal", Summary: "The signal that ends the container",
			Text: "A name such as `SIGINT` or a number. The default is `SIGTERM`; what has not ended some seconds " +
				"later is killed.",
			Syntax:  []string{"STOPSIGNAL signal"},
			Example: "STOPSIGNAL SIGQUIT",
			Values:  Signals,
		},
		Words:    map[string]string{"signal": "The signal's name or number"},
		Snippets: []string{"STOPSIGNAL ${1:signal}"},
	},
	{
		Entry: Entry{
			Name: "USER", Anchor: "user", Summary: "The user that commands run as",
			Text: "It holds for the commands below in the stage and for the container. Names must be known in the " +
				"image; numbers need not be. " +
				"With a user but no group, the group is the user's own. `COPY` and `ADD` still write as root, unless " +
				"`--chown` is given.",
			Syntax:  []string{"USER user", "USER user:group", "USER uid", "USER uid:gid"},
			Example: "RUN adduser -D app\nUSER app",
		},
		Words: map[string]string{
			"user":  "The user's name",
			"group": "The group's name",
			"uid":   "The user's number",
			"gid":   "The group's number",
		},
		Snippets: []string{"USER ${1:daemon}"},
	},
	{
		Entry: Entry{
			Name: "VOLUME", Anchor: "volume", Summary: "Directories that a container keeps outside of its image",
			Text: "Each container gets a volume for each of them, unless it is given one. What a later " +
				"instruction writes there may be lost.",
			Syntax:  []string{`VOLUME [ "/vol", ... ]`, "VOLUME /vol ..."},
			Example: "VOLUME [\"/var/lib/data\"]",
		},
		Words: map[string]string{
			"[":      "Begins a JSON array",
			"]":      "Ends the JSON array",
			`"/vol"`: "The directory",
			"/vol":   "The directory",
			"...":    "More directories",
		},
		Snippets: []string{`VOLUME [ "${1:/data}" ]`},
	},
	{
		Entry: Entry{
			Name: "WORKDIR", Anchor: "workdir", Summary: "The directory that commands run in",
			Text: "It holds for the instructions below in the stage and for the container; it is made if it is " +
				"not there. A relative path goes on from the `WORKDIR` above.",
			Syntax:  []string{"WORKDIR /the/workdir/path"},
			Example: "WORKDIR /app",
		},
		Words:    map[string]string{"/the/workdir/path": "The directory, best absolute"},
		Snippets: []string{"WORKDIR ${1:/the/workdir/path}"},
	},
}

var copyWords = map[string]string{
	"[flags]": "`--from`, `--chown`, `--chmod` and " +
		"more", "source": "A file or directory of the build context; wildcards " +
		"count", `"source"`: "A file or directory of the build context; wildcards count",
	"...": "More sources; the destination must end with `/` " +
		"then", "dest": "Where to put it; a directory ends with " +
		"`/`", `"dest"`: "Where to put it; a directory ends with `/`",
	"[": "Begins the JSON form, for paths with blanks", "]": "Ends the JSON form",
}

var execWords = map[string]string{
	"[": "Begins the exec form, a JSON " +
		"array", "]": "Ends the exec form", `"executable"`: "The program to run", "executable": "The program to run",
	`"parameter"`: "An argument", `"parameter2"`: "Another argument", "parameter": "An argument",
	"...": "More arguments",
}

var pairWords = map[string]string{
	"key": "The name", "value": "Its value; in quotes if it holds " +
		"blanks", "key2": "Another name", "value2": "Its value",
}

// booleans are what a flag without "=" or with a truth value takes.
var booleans = values("true", "As without a value", "false", "As without the flag")

func chown(anchor string) Entry {
	return Entry{
		Name: "chown", Anchor: anchor, Value: "user:group", Summary: "Who owns the " +
			"files", Example: "COPY --chown=app:app . /app", Syntax: []string{"--chown=user:group"},
		Text: "Names or numbers; names are looked up in the image's `/etc/passwd` and `/etc/group`. By default files " +
			"belong to root. Without a group it is the user's number.",
	}
}

func chmod(anchor string) Entry {
	return Entry{
		Name: "chmod", Anchor: anchor, Since: "1.3", Value: "755", Summary: "The permissions of the " +
			"files", Example: "COPY --chmod=755 entrypoint.sh /", Syntax: []string{"--chmod=755"},
		Text: "In octal, or as of version 1.14 in symbols as `chmod` takes them (`u=rwX,go=rX`). It saves a `RUN " +
			"chmod`, which would store the files a second time.",
		Values: values(
			"755",
			"Everybody may read and run, the owner write",
			"644",
			"Everybody may read, the owner write",
			"600",
			"Only the owner may read and write",
			"u=rwX,go=rX",
			"Like 755 for directories and programs, 644 for others",
		),
	}
}

func link(anchor string) Entry {
	return Entry{
		Name: "link", Anchor: anchor, Since: "1.4", Values: booleans, Closed: true, Summary: "Copy into a layer of " +
			"its own, whatever is below", Example: "COPY --link --from=build /out /app", Syntax: []string{"--link"},
		Text: "The layer does not depend on those below: it stays cached when they change. Links in the " +
			"destination's path are not followed.",
	}
}

func exclude(anchor string) Entry {
	return Entry{
		Name: "exclude", Anchor: anchor, Since: "1.19", Value: "pattern", Summary: "Leave out files that match a " +
			"pattern", Example: "COPY --exclude=*.md --exclude=docs . /app", Syntax: []string{"--exclude=pattern"},
		Text: "The pattern is one of `.dockerignore`'s, relative to the source. It may be given several times. " +
			"Changes to what is left out do not cost the cache.",
	}
}

// durations are what the flags of HEALTHCHECK are usually set to.
var durations = map[string][]Entry{
	"interval":       values("30s", "The default", "10s", "", "60s", "", "1m", "", "5s", "", "15s", "", "5m", ""),
	"timeout":        values("3s", "", "10s", "", "5s", "", "30s", "The default", "15s", "", "20s", ""),
	"start-period":   values("5s", "", "10s", "", "30s", "", "40s", "", "60s", "", "1m", ""),
	"start-interval": values("5s", "The default", "1s", "", "2s", "", "3s", ""),
}

func duration(name, example, summary, text string) Entry {
	return Entry{
		Values: durations[name],
		Name:   name, Anchor: "healthcheck", Value: example, Summary: summary, Syntax: []string{"--" + name + "=" +
			example}, Example: "HEALTHCHECK --" + name + "=" + example + " CMD curl -f http://localhost/",
		Text: text + " Units are `ms`, `s`, `m` and `h`, as in `1m30s`.",
	}
}
