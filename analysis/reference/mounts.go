package reference

// Mounts are the types of RUN --mount, the commonest first.
var Mounts = []Mount{
	{
		Entry: Entry{
			Name: "cache", Anchor: "run---mounttypecache", Since: "1.2", Summary: "A directory that lives on between " +
				"builds",
			Text: "For the caches of package managers and compilers. It is not part of the image, and its " +
				"contents do not count for the build cache. It may be empty at any time.",
			Example: "RUN --mount=type=cache,target=/root/.cache/pip pip install -r requirements.txt",
		},
		Keys: []Entry{
			cacheTarget,
			{
				Name:    "id",
				Value:   "name",
				Summary: "The cache's name",
				Text:    "Mounts with the same id share one cache. The default is the target's path.",
			},
			{
				Name: "sharing", Value: "locked", Closed: true, Summary: "What builds do that use the cache at the " +
					"same time", Text: "The default is `shared`. `apt` needs `locked`.",
				Values: values(
					"shared",
					"All use it at once",
					"private",
					"Each gets a cache of its own",
					"locked",
					"One waits for the other",
				),
			},
			from("The stage, image or named context whose files the cache starts with"),
			source("The directory in `from` that it starts with"),
			readonly, readwrite, mode("0755"), uid, gid,
		},
	},
	{
		Entry: Entry{
			Name: "bind", Anchor: "run---mounttypebind", Since: "1.2", Summary: "Files of the context, a stage or an " +
				"image",
			Text: "They are there while the command runs, without a copy in the image. This is the default type. " +
				"Without `from` they come from the build context.",
			Example: "RUN --mount=type=bind,source=go.mod,target=go.mod " +
				"--mount=type=bind,source=go.sum,target=go.sum go mod download",
		},
		Keys: []Entry{
			target("Where the files are put"),
			source("The file or directory in `from`; all of it by default"),
			from("The stage, image or named context whose files they are"),
			readonly,
			{
				Name:    "readwrite",
				Aliases: []string{"rw"},
				Values:  booleans,
				Closed:  true,
				Summary: "Writing is allowed",
				Text:    "What is written is thrown away behind the command.",
			},
		},
	},
	{
		Entry: Entry{
			Name: "secret", Anchor: "run---mounttypesecret", Since: "1.2", Summary: "A secret, as a file or a variable",
			Text: "Given to the build by `--secret id=…`. It leaves no trace in the image or its history, and its " +
				"value does not count for the build cache.",
			Example: "RUN --mount=type=secret,id=token,env=TOKEN ./download.sh",
		},
		Keys: []Entry{
			{
				Name:    "id",
				Value:   "name",
				Summary: "The secret's name",
				Text:    "As `docker build --secret id=…` names it. The default is the last part of the target's path.",
			},
			target("The file that holds the secret; `/run/secrets/<id>` by default"),
			{
				Name:    "env",
				Value:   "NAME",
				Since:   "1.10",
				Summary: "The variable that holds the secret",
				Text:    "Instead of a file, or beside it if `target` is given too.",
			},
			required("the build has no such secret"),
			{Name: "source", Aliases: []string{"src"}, Value: "name", Summary: "The secret's name, like id"},
			mode("0400"), uid, gid,
		},
	},
	{
		Entry: Entry{
			Name: "ssh", Anchor: "run---mounttypessh", Since: "1.2", Summary: "The SSH agent",
			Text:    "The command can use keys of the agent that the build is given by `--ssh`, without seeing them.",
			Example: "RUN --mount=type=ssh git clone git@github.com:example/private.git",
		},
		Keys: []Entry{
			{
				Name:    "id",
				Value:   "default",
				Summary: "The agent's or key's name",
				Text:    "As `docker build --ssh` names it. The default is `default`.",
			},
			target("The socket's path"),
			required("the build has no such agent"),
			mode("0600"), uid, gid,
		},
	},
	{
		Entry: Entry{
			Name: "tmpfs", Anchor: "run---mounttypetmpfs", Since: "1.2", Summary: "A directory in memory",
			Text:    "Empty at first, and thrown away behind the command.",
			Example: "RUN --mount=type=tmpfs,target=/tmp make test",
		},
		Keys: []Entry{
			target("Where the directory is put"),
			{Name: "size", Value: "100m", Summary: "How much it may hold", Text: "Without it there is no limit."},
		},
	},
}

// MountType is the key that says which type a mount is.
var MountType = Entry{
	Name: "type", Value: "type", Closed: true, Anchor: "run---mount", Since: "1.2", Summary: "What is mounted",
	Text: "Without it, it is `bind`.", Values: mountTypes(),
}

func mountTypes() []Entry {
	var types []Entry
	for _, m := range Mounts {
		types = append(types, m.Entry)
	}
	return types
}

var (
	readonly = Entry{
		Name:    "readonly",
		Aliases: []string{"ro"},
		Values:  booleans,
		Closed:  true,
		Summary: "Nothing can be written",
	}

	readwrite = Entry{
		Name:    "readwrite",
		Aliases: []string{"rw"},
		Values:  booleans,
		Closed:  true,
		Summary: "Writing is allowed",
	}
	uid = Entry{Name: "uid", Value: "0", Summary: "Who owns it, as a number", Text: "The default is 0, root."}
	gid = Entry{
		Name:    "gid",
		Value:   "0",
		Summary: "The group it belongs to, as a number",
		Text:    "The default is 0.",
	}
)

// cacheTarget knows where common tools keep what a cache is for.
var cacheTarget = func() Entry {
	e := target("Where the directory is put")
	e.Values = values(
		"/var/cache/apt",
		"Packages of apt; with sharing=locked",
		"/var/lib/apt",
		"Lists of apt; with sharing=locked",
		"/var/cache/apk",
		"Packages of apk",
		"/var/cache/dnf",
		"Packages of dnf",
		"/root/.cache/pip",
		"pip",
		"/root/.cache/uv",
		"uv",
		"/root/.npm",
		"npm",
		"/root/.cache/yarn",
		"yarn",
		"/root/.local/share/pnpm/store",
		"pnpm",
		"/root/.cache/go-build",
		"Go's compiler",
		"/go/pkg/mod",
		"Go's modules",
		"/usr/local/cargo/registry",
		"Cargo",
		"/root/.m2",
		"Maven",
		"/root/.gradle",
		"Gradle",
		"/root/.nuget/packages",
		"NuGet",
		"/root/.composer/cache",
		"Composer",
		"/usr/local/bundle/cache",
		"Bundler",
		"/root/.ccache",
		"ccache",
	)
	return e
}()

func target(summary string) Entry {
	return Entry{
		Name:    "target",
		Aliases: []string{"dst", "destination"},
		Value:   "path",
		Summary: summary,
		Text:    "A relative path goes on from the `WORKDIR`.",
	}
}

func source(summary string) Entry {
	return Entry{Name: "source", Aliases: []string{"src"}, Value: "path", Summary: summary}
}

func from(summary string) Entry {
	return Entry{
		Name:    "from",
		Value:   "stage",
		Summary: summary,
		Text:    "A stage must stand above. Without it, it is the build context; for a cache, nothing.",
	}
}

func mode(value string) Entry {
	return Entry{
		Name:    "mode",
		Value:   value,
		Summary: "Its permissions, in octal",
		Text:    "The default is " + value + ".",
	}
}

func required(what string) Entry {
	return Entry{
		Name:    "required",
		Values:  booleans,
		Closed:  true,
		Summary: "Fail if " + what,
		Text:    "Without it the command runs nevertheless.",
	}
}
