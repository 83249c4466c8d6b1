package effects

import (
	"encoding/xml"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// element is an element of an XML file.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []element  `xml:",any"`
}

func parseXML(text string) (root element, ok bool) {
	decoder := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	decoder.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	return root, decoder.Decode(&root) == nil
}

func (el *element) name() string { return el.XMLName.Local }

// attribute gives an attribute whatever the case of its name.
func (el *element) attribute(name string) string {
	for _, a := range el.Attrs {
		if strings.EqualFold(a.Name.Local, name) {
			return a.Value
		}
	}
	return ""
}

// has reports whether an element has a child of this name with this text, any if it is "".
func (el *element) has(name, text string) bool {
	return slices.ContainsFunc(el.Children, func(child element) bool {
		return child.name() == name && (text == "" || strings.TrimSpace(child.Text) == text)
	})
}

// all reports whether this holds for an element and all within it.
func (el *element) all(holds func(*element) bool) bool {
	if !holds(el) {
		return false
	}
	for i := range el.Children {
		if !el.Children[i].all(holds) {
			return false
		}
	}
	return true
}

// pomRefused are elements of a pom.xml by which Maven reads other files, or runs what they say.
var pomRefused = strings.Fields(
	"modules module subprojects subproject systemPath relativePath profiles extensions extension file exists missing",
)

// goalOutput is a property by which a goal of the dependency plugin writes files.
var goalOutput = regexp.MustCompile(`^(mdep\..*|output(File|Directory)|markersDirectory)$`)

// pomProperty is a property in a pom.xml that stands for no place.
var pomProperty = regexp.MustCompile(`\$\{([A-Za-z0-9_.-]+)\}`)

// plainPOM reports whether a pom.xml names no other file.
func plainPOM(text string) bool {
	root, ok := parseXML(text)
	if !ok || root.name() != "project" {
		return false
	}
	own := map[string]bool{
		"project.version":        true,
		"project.groupId":        true,
		"project.artifactId":     true,
		"project.parent.version": true,
		"project.parent.groupId": true,
		"java.version":           true,
	}
	for i := range root.Children {
		switch child := &root.Children[i]; child.name() {
		case "parent":
			empty := slices.ContainsFunc(
				child.Children,
				func(el element) bool { return el.name() == "relativePath" && strings.TrimSpace(el.Text) == "" },
			)
			child.Children = slices.DeleteFunc(
				child.Children,
				func(el element) bool { return empty && el.name() == "relativePath" },
			)
		case "properties":
			for _, p := range child.Children {
				if goalOutput.MatchString(p.name()) {
					return false
				}
				own[p.name()] = !strings.ContainsAny(p.Text, `/\`) ||
					strings.HasPrefix(strings.TrimSpace(p.Text), "https://")
			}
		}
	}
	return root.all(func(el *element) bool {
		for _, m := range pomProperty.FindAllStringSubmatch(el.Text, -1) {
			if !own[m[1]] && !strings.HasPrefix(el.name(), "argLine") {
				return false
			}
		}
		if el.name() == "url" && len(el.Children) == 0 && strings.Contains(el.Text, "${") ||
			strings.Contains(el.Text, "file:") ||
			el.name() == "scope" && strings.TrimSpace(el.Text) == "system" {
			return false
		}
		if el.name() == "plugin" && el.has("artifactId", "maven-dependency-plugin") &&
			(el.has("configuration", "") || !el.all(func(in *element) bool { return !in.has("id", "default-cli") })) {
			return false // it may have the goal write anywhere
		}
		if el.name() == "repository" || el.name() == "pluginRepository" {
			for _, child := range el.Children {
				if child.name() == "url" && !strings.HasPrefix(strings.TrimSpace(child.Text), "https://") &&
					!strings.HasPrefix(strings.TrimSpace(child.Text), "http://") {
					return false
				}
			}
		}
		return !slices.Contains(pomRefused, el.name())
	})
}

var mavenGoal = regexp.MustCompile(
	`^(org\.apache\.maven\.plugins:maven-dependency-plugin:([0-9.]+:)?|dependency:)(go-offline|resolve|resolve-plugins)$`,
)

func mvn(s *state, e *Effects, c Call) bool {
	l, ok := c.line(
		"-B --batch-mode -q --quiet -ntp --no-transfer-progress -U --update-snapshots -e -DskipTests " +
			"-Dmaven.test.skip=true -DexcludeTransitive=false -C -V -T= --threads= -Dsilent=true " +
			"-DincludeScope=runtime -DskipTests=true",
	)
	if !ok || c.Dynamic || len(l.words) == 0 ||
		slices.ContainsFunc(l.words, func(w string) bool { return !mavenGoal.MatchString(w) }) {
		return false
	}
	text, ok := c.file(s, "pom.xml")
	above, none := c.above(s, ".mvn", "pom.xml")
	e.Reads = append(e.Reads, above...)
	if !ok || !none ||
		c.exists(
			s,
			".mvn/maven.config",
			".mvn/extensions.xml",
			".mvn/jvm.config",
			".mvn/maven-settings.xml",
			".mvn/settings.xml",
			".mavenrc",
		) ||
		!plainPOM(text) {
		return false
	}
	return e.project(s, c, manifests("mvn", "dependency:go-offline"), ".mvn/")
}

// dotnetAbove are what MSBuild and NuGet look for in the project's directory and all above.
var dotnetAbove = []string{
	"Directory.Build.props",
	"Directory.Build.targets",
	"Directory.Packages.props",
	"Directory.Solution.props",
	"Directory.Solution.targets",
	"Directory.Build.rsp",
	"MSBuild.rsp",
	"global.json",
	"nuget.config",
	"NuGet.config",
	"NuGet.Config",
	"Nuget.Config",
	"packages.config",
}

// dotnetTool is a tool by its name.
var dotnetTool = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]*$`)

func dotnet(s *state, e *Effects, c Call) bool {
	l, ok := c.line(
		"-r= --runtime= -a= --arch= --os= -v= --verbosity= --nologo --disable-parallel --no-cache " +
			"--ignore-failed-sources --force --no-dependencies -g --global --version= --interactive=false",
	)
	if !ok || c.Dynamic || len(l.words) == 0 || c.cwd == "" || s.envIsProperty(c) {
		return false
	}
	if len(l.words) == 3 && l.words[0] == "tool" && l.words[1] == "install" && l.has("-g", "--global") {
		if !dotnetTool.MatchString(l.words[2]) || c.exists(s, dotnetAbove...) || c.exists(s, ".config") {
			return false
		}
		above, none := c.above(s, dotnetAbove...)
		e.Reads = append(e.Reads, above...)
		verb := *manifests("dotnet", "restore")
		verb.Manifests, verb.Writes = nil, nil
		return none && e.project(s, c, &verb)
	}
	if l.words[0] != "restore" || len(l.words) > 2 || l.has("-g", "--global", "--version") {
		return false
	}
	project := ""
	if len(l.words) == 2 {
		project = path.Clean(l.words[1])
	} else {
		for _, name := range s.names(c.cwd) {
			if strings.HasSuffix(name, "proj") || strings.HasSuffix(name, ".sln") || strings.HasSuffix(name, ".slnx") {
				if project != "" {
					return false
				}
				project = name
			}
		}
	}
	if path.IsAbs(project) || strings.HasPrefix(project, "..") {
		return false
	}
	projects, ok := c.projects(s, project, nil)
	return ok && restored(s, e, c, projects)
}

// restored adds what a restore of these projects reads and writes.
func restored(s *state, e *Effects, c Call, projects []string) bool {
	verb := *manifests("dotnet", "restore")
	config := verb.Config
	verb.Manifests, verb.Config, verb.Writes = nil, nil, nil
	dirs := map[string]bool{}
	for _, p := range projects {
		verb.Manifests = append(verb.Manifests, p)
		dir := path.Dir(p)
		if strings.HasSuffix(p, "proj") {
			verb.Writes = append(verb.Writes, path.Join(dir, "obj")+"/")
		}
		for ; !dirs[dir]; dir = path.Dir(dir) {
			dirs[dir] = true
			for _, name := range s.names(path.Join(c.cwd, dir)) {
				if !plainDotnetFile(s, c, dir, name) {
					return false
				}
			}
			e.configured(s, path.Join(c.cwd, dir), config)
		}
	}
	above, none := c.above(s, dotnetAbove...)
	e.Reads = append(e.Reads, above...)
	return none && e.project(s, c, &verb)
}

// plainDotnetFile reports whether a file in a directory of projects names no other file, if it is one that a restore
// reads.
func plainDotnetFile(s *state, c Call, dir, name string) bool {
	at := path.Join(dir, name)
	text, ok := c.file(s, at)
	switch lower := strings.ToLower(name); {
	case lower == "nuget.config":
		return ok && plainSources(text)
	case lower == "global.json":
		return ok && !strings.Contains(text, "msbuild-sdks")
	case lower == "directory.packages.props" || lower == "directory.build.props" || lower == "directory.build.targets":
		_, plain := plainProject(text)
		return ok && plain
	case strings.HasSuffix(lower, ".rsp"),
		lower == "packages.config",
		strings.HasPrefix(lower, "directory.solution."),
		strings.HasPrefix(lower, "before.") || strings.HasPrefix(lower, "after."),
		strings.HasSuffix(lower, "proj.user"),
		lower == "packages.lock.json":
		return false
	}
	return true
}

// envIsProperty reports whether a variable may be one of MSBuild's properties that names a place: it takes all
// variables for such.
func (s *state) envIsProperty(c Call) bool {
	for name, value := range c.vars {
		if name != "PATH" && !plainVariables.MatchString(name) && !placeVariables.MatchString(name) &&
			(strings.ContainsAny(value, `/\*`) && !strings.Contains(value, "://") ||
				refusedProperty.MatchString(name) && !harmlessProperty(name)) {
			return true
		}
	}
	return false
}

var (
	dotnetSDK  = regexp.MustCompile(`^Microsoft\.NET\.Sdk(\.(Web|Worker|Razor|BlazorWebAssembly))?$`)
	plainValue = regexp.MustCompile(`^[^/\\*]*$`)
	// refusedProperty is a property by which a restore reads or writes elsewhere.
	refusedProperty = regexp.MustCompile(
		`(?i)^(Restore|NuGet|MSBuild|CustomBefore|CustomAfter|ImportDirectory|Directory|BaseIntermediate|Artifacts|UseArtifacts|.*(Path|Dir|Directory|Root|File|Import|Source|Sources|Folder)$)`,
	)
)

// plainProject gives the projects that a file of MSBuild refers to. It fails if the file looks at any other file, or
// has targets, which may do anything.
func plainProject(text string) (references []string, ok bool) {
	root, ok := parseXML(text)
	if !ok || root.name() != "Project" || len(root.Attrs) > 0 && slices.ContainsFunc(root.Attrs, func(a xml.Attr) bool {
		return !slices.Contains([]string{"Sdk", "ToolsVersion", "DefaultTargets", "xmlns"}, a.Name.Local)
	}) {
		return nil, false
	}
	if sdk := root.attribute("Sdk"); sdk != "" && !dotnetSDK.MatchString(sdk) {
		return nil, false
	}
	for _, group := range root.Children {
		if plain := (&group).all(func(el *element) bool {
			return !strings.Contains(strings.ToLower(el.attribute("Condition")), "exists") &&
				!looksElsewhere.MatchString(el.Text) &&
				!slices.ContainsFunc(el.Attrs, func(a xml.Attr) bool { return looksElsewhere.MatchString(a.Value) })
		}); !plain {
			return nil, false
		}
		switch group.name() {
		case "PropertyGroup":
			for _, p := range group.Children {
				if refusedProperty.MatchString(p.name()) && strings.TrimSpace(p.Text) != "" &&
					!harmlessProperty(p.name()) ||
					strings.Contains(p.Text, "$(") && !plainReference.MatchString(strings.TrimSpace(p.Text)) {
					return nil, false
				}
			}
		case "ItemGroup":
			for _, item := range group.Children {
				include := item.attribute("Include")
				switch item.name() {
				case "ProjectReference":
					if strings.ContainsAny(include, "$*?;@%") || !strings.HasSuffix(include, "proj") ||
						item.attribute("Exclude") != "" {
						return nil, false
					}
					references = append(references, strings.ReplaceAll(include, `\`, "/"))
				case "PackageReference",
					"PackageVersion",
					"GlobalPackageReference",
					"PackageDownload",
					"FrameworkReference",
					"KnownFrameworkReference":
					strange := func(a xml.Attr) bool {
						return a.Name.Local != "Condition" && !plainValue.MatchString(a.Value)
					}
					if !(&item).all(func(el *element) bool {
						return plainValue.MatchString(el.Text) && !slices.ContainsFunc(el.Attrs, strange)
					}) {
						return nil, false
					}
				default:
					if !slices.Contains(buildItems, item.name()) {
						return nil, false
					}
				}
			}
		default: // Import, Target, Sdk, UsingTask, Choose
			return nil, false
		}
	}
	return references, true
}

// looksElsewhere is a call of .NET's own, which may read any file, or what stands for a list of files.
var looksElsewhere = regexp.MustCompile(`(?i)\$\(\s*(\[|Registry:)|[@%]\(|%[0-9a-f]{2}`)

// buildItems are kinds of items that a restore does not look at.
var buildItems = strings.Fields(
	"Compile Content None EmbeddedResource Resource Page Using Folder Reference InternalsVisibleTo Protobuf Watch " +
		"AdditionalFiles AssemblyAttribute TypeScriptCompile Analyzer EditorConfigFiles " +
		"RuntimeHostConfigurationOption TrimmerRootAssembly Service ProjectCapability SupportedPlatform " +
		"OpenApiReference",
)

// plainReference is a value that refers to versions only.
var plainReference = regexp.MustCompile(
	`^([A-Za-z0-9.;_-]|\$\((VersionPrefix|VersionSuffix|Version|TargetFramework|TargetFrameworks|NoWarn|DefineConstants|AssemblyName|MSBuildProjectName|Configuration|Platform)\))*$`,
)

// harmlessProperty reports whether a property that looks like a place is none to a restore.
func harmlessProperty(name string) bool {
	return slices.Contains(
		[]string{
			"GenerateDocumentationFile",
			"DocumentationFile",
			"PackageReadmeFile",
			"PackageLicenseFile",
			"ApplicationIcon",
			"DockerfileContext",
			"DockerComposeProjectPath",
			"DockerDefaultTargetOS",
			"PublishSingleFile",
			"IncludeSource",
			"OpenApiDocumentsDirectory",
			"NuGetAudit",
			"NuGetAuditMode",
			"NuGetAuditLevel",
			"RepositoryUrl",
		},
		name,
	)
}

// plainSources reports whether the sources of a nuget.config lie in the network, and it has no other settings that name
// places.
func plainSources(text string) bool {
	root, ok := parseXML(text)
	if !ok || !strings.EqualFold(root.name(), "configuration") {
		return false
	}
	for _, section := range root.Children {
		switch strings.ToLower(section.name()) {
		case "packagesources", "auditsources", "activepackagesource":
			for _, add := range section.Children {
				if strings.EqualFold(add.name(), "add") && !strings.HasPrefix(add.attribute("value"), "https://") {
					return false
				}
			}
		case "packagesourcemapping",
			"packagesourcecredentials",
			"disabledpackagesources":
		default:
			return false
		}
	}
	return true
}

var (
	solutionProject = regexp.MustCompile(`(?m)^Project\("[^"]*"\)\s*=\s*"[^"]*",\s*"([^"]*)"`)
)

// projects gives a project or solution of .NET with the projects that it refers to, as paths below the working
// directory.
func (c Call) projects(s *state, name string, seen []string) ([]string, bool) {
	if slices.Contains(seen, name) {
		return seen, true
	}
	text, ok := c.file(s, name)
	if !ok || len(seen) > 200 || strings.HasPrefix(name, "..") {
		return nil, false
	}
	seen = append(seen, name)
	dir := path.Dir(name)
	var next []string
	switch {
	case strings.HasSuffix(name, ".sln"):
		for _, m := range solutionProject.FindAllStringSubmatch(text, -1) {
			if at := strings.ReplaceAll(m[1], `\`, "/"); strings.HasSuffix(
				at,
				"proj",
			) { // others are folders of the solution
				next = append(next, at)
			}
		}
	case strings.HasSuffix(name, ".slnx"):
		root, ok := parseXML(text)
		if !ok || !root.all(func(el *element) bool {
			if el.name() == "Project" {
				next = append(next, strings.ReplaceAll(el.attribute("Path"), `\`, "/"))
			}
			return true
		}) {
			return nil, false
		}
	case strings.HasSuffix(name, "proj"):
		if next, ok = plainProject(text); !ok {
			return nil, false
		}
	default:
		return nil, false
	}
	for _, at := range next {
		if strings.ContainsAny(at, "$*?;") || !strings.HasSuffix(at, "proj") {
			return nil, false
		}
		if seen, ok = c.projects(s, path.Join(dir, at), seen); !ok {
			return nil, false
		}
	}
	return seen, true
}
