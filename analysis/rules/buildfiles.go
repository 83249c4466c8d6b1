package rules

import (
	"slices"
	"strings"

	"github.com/layerwise/layerwise/analysis"
)

// The rules about the build sections of Compose and bake files. Package buildcheck finds these and those about CI: here
// is what they are called and what they mean.
var (
	UnknownTarget = &Rule{
		ID: "UnknownBuildTarget", Severity: analysis.Error, BuildFile: true, Doc: Doc{
			Summary: "The target is not a stage of the Dockerfile",
			What: "A `target` that names no stage of the Dockerfile. " +
				"A stage is named by its name only: its number works in `COPY --from`, but not here.",
			Why:     "The build fails: `target stage \"prdo\" could not be found`.",
			Example: "services:\n  web:\n    build:\n      context: .\n      target: prdo\n",
			Instead: "services:\n  web:\n    build:\n      context: .\n      target: prod\n",
		}}
	UndeclaredArg = &Rule{
		ID: "UndeclaredBuildArg", Severity: analysis.Warning, BuildFile: true, Doc: Doc{
			Summary: "The Dockerfile does not declare the build argument",
			What:    "An argument below `args` for which the Dockerfile has no `ARG`.",
			Why:     "The argument has no effect. Most often its name is misspelt, and the `ARG` keeps its default.",
			Example: "services:\n  web:\n    build:\n      context: .\n      args:\n        VERSOIN: \"1.2\"\n",
			Instead: "services:\n  web:\n    build:\n      context: .\n      args:\n        VERSION: \"1.2\"\n",
		}}
	MissingDockerfile = &Rule{
		ID: "MissingDockerfile", Severity: analysis.Error, BuildFile: true, Doc: Doc{
			Summary: "The Dockerfile does not exist",
			What: "A `dockerfile` that is not there. Its path is relative to the build context, not to the file that " +
				"names it. In a file that Docker does not read by itself it is only information: its paths may be " +
				"relative to another directory.",
			Why:     "The build fails: `failed to read dockerfile`.",
			Example: "services:\n  web:\n    build:\n      context: .\n      dockerfile: Dockerfil\n",
			Instead: "services:\n  web:\n    build:\n      context: .\n      dockerfile: Dockerfile\n",
		}}
	MissingContext = &Rule{
		ID: "MissingBuildContext", Severity: analysis.Error, BuildFile: true, Doc: Doc{
			Summary: "The build context is not a directory",
			What: "A `context` that does not exist or is a file. In a file that Docker does not read by itself it is " +
				"only information: its paths may be relative to another directory.",
			Why:     "The build fails before it begins.",
			Example: "services:\n  web:\n    build: ./nowhere\n",
			Instead: "services:\n  web:\n    build: ./app\n",
		}}
)

// The rules about the caches of CI.
var (
	EmptyCacheMount = &Rule{
		ID: "EmptyCacheMount", Severity: analysis.Information, BuildFile: true, Doc: Doc{
			Summary: "A cache mount is empty at each run",
			What: "A build on a machine of GitHub's, of a Dockerfile that has a `RUN --mount=type=cache`. " +
				"Nothing keeps what is in the mount: no cache that a build exports has it.",
			Why: "Each run downloads or compiles everything again. " +
				"A step of its own can keep the mounts, such as `reproducible-containers/buildkit-cache-dance`.",
			Example: ciExample("runs-on: ubuntu-latest", "context: ."),
			Instead: ciJob("runs-on: ubuntu-latest", "      - uses: reproducible-containers/buildkit-cache-dance@v3\n"+
				ciStep("context: .")),
		}}
	MinModeCache = &Rule{
		ID: "MinModeCache", Severity: analysis.Information, BuildFile: true, Doc: Doc{
			Summary: "The exported cache has no layers of the build stages",
			What: "A `cache-to` with `mode=min`, which is the default, or `type=inline`, of a Dockerfile that runs commands " +
				"in stages other than the image's own.",
			Why: "Such a cache has the layers of the final image only. As soon as anything of a build stage changes, all of " +
				"it runs again from its beginning, `npm ci` and the like too.",
			Example: ciExample("", "cache-from: type=gha", "cache-to: type=gha"),
			Instead: ciExample("", "cache-from: type=gha", "cache-to: type=gha,mode=max"),
		}}
	NoCacheFrom = &Rule{
		ID: "NoCacheFrom", Severity: analysis.Information, BuildFile: true, Doc: Doc{
			Summary: "The build imports no cache",
			What: "A build that exports a cache and imports none, or a build on a machine of GitHub's with neither. " +
				"A build with `no-cache` is left alone.",
			Why:     "Its builder begins with nothing, so that every step runs.",
			Example: ciExample("runs-on: ubuntu-latest", "cache-to: type=gha,mode=max"),
			Instead: ciExample("runs-on: ubuntu-latest", "cache-from: type=gha", "cache-to: type=gha,mode=max"),
		}}
	SharedCache = &Rule{
		ID: "SharedCache", Severity: analysis.Warning, BuildFile: true, Doc: Doc{
			Summary: "Builds of different images export to one cache",
			What: "Several builds that export to the same place, such as the same `scope` of `type=gha` or the same `ref`, " +
				"and make different images: of another Dockerfile, context, target, platform or with other build arguments. " +
				"Variants of an image that one job builds in turn are left alone.",
			Why: "The last export replaces the others. Which of them that is differs from run to run.",
			Example: ciJob("strategy: {matrix: {app: [web, api]}}",
				ciStep("context: ${{ matrix.app }}", "cache-to: type=gha,mode=max")),
			Instead: ciJob("strategy: {matrix: {app: [web, api]}}",
				ciStep("context: ${{ matrix.app }}", "cache-to: type=gha,mode=max,scope=${{ matrix.app }}")),
		}}
	VaryingBuildArg = &Rule{
		ID: "VaryingBuildArg", Severity: analysis.Information, BuildFile: true, Doc: Doc{
			Summary: "A build argument changes at each commit, above commands that do not use it",
			What: "A build argument such as the commit or the number of the run, of which the Dockerfile has the `ARG` " +
				"above a `RUN` that does not name it.",
			Why: "Build arguments are part of what every `RUN` below their `ARG` is run with. So these run at each commit. " +
				"Move the `ARG` down to where it is used.",
			Example: ciExample("", "build-args: COMMIT=${{ github.sha }}"),
			Instead: "# the same, and in the Dockerfile:\n# RUN npm ci\n# ARG COMMIT\n# LABEL commit=$COMMIT\n",
		}}
)

// BuildFiles is the table of the rules about Compose, bake and CI files, sorted by id.
var BuildFiles = []*Rule{
	EmptyCacheMount,
	MinModeCache,
	MissingContext,
	MissingDockerfile,
	NoCacheFrom,
	SharedCache,
	UndeclaredArg,
	UnknownTarget,
	VaryingBuildArg,
}

// Every returns the rules of All and of BuildFiles.
func Every() []*Rule { return slices.Concat(All, BuildFiles) }

// Apply leaves out of the findings in a build file those of rules that are off, and gives the others the severity that
// is configured.
func (o Options) Apply(findings []analysis.Finding) []analysis.Finding {
	out := []analysis.Finding{}
	for _, f := range findings {
		if rule := ByID(f.Rule); rule != nil && !o.runs(rule) {
			continue
		}
		if severity, ok := o.Severity[f.Rule]; ok {
			f.Severity = severity
		}
		out = append(out, f)
	}
	return out
}

func ciExample(job string, with ...string) string { return ciJob(job, ciStep(with...)) }

func ciStep(with ...string) string {
	return "      - uses: docker/build-push-action@v6\n        with:\n          " +
		strings.Join(with, "\n          ") + "\n"
}

func ciJob(job, steps string) string {
	if job != "" {
		job = "    " + job + "\n"
	}
	return "jobs:\n  build:\n" + job + "    steps:\n" + steps
}
