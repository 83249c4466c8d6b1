package cachemodel

// UnknownParts are the parts of a build that nobody knows, each with the reason, a sentence such as ".env is not in the
// repository". Where the reason is "", the part is known. Of a part that is not known Build holds what is most likely:
// that of the other build which it is compared with. What depends on it is never certainly cached, and never certainly
// rebuilt.
type UnknownParts struct {
	Dockerfile  string            // what it said
	Target      string            // which stage was built
	Platform    string            // for which platform
	Args        map[string]string // by name: whether the build argument was given, and its value
	AllArgs     string            // which build arguments were given, and their values
	Context     string            // what the build context held
	Contexts    map[string]string // by name: whether there was such a named context, and what it held
	AllContexts string            // which named contexts there were
	Run         string            // the settings that every RUN gets: see RunSettings
}
