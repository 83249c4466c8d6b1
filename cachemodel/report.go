package cachemodel

// Status is the verdict on one instruction.
type Status string

// The verdicts. Cached and Rebuilt are promises; see Step.Certain.
const (
	Cached  Status = "cached"  // the next build will not execute it
	Rebuilt Status = "rebuilt" // the next build will execute it
	Config  Status = "config"  // makes no layer and runs nothing
	Skipped Status = "skipped" // not part of this target
	Unknown Status = "unknown" // the file cannot be read far enough to tell
	Fails   Status = "fails"   // the build fails at it; nothing that stands on it is promised
)

// CauseKind is the first reason why an instruction is rebuilt.
type CauseKind string

// The kinds of causes.
const (
	InstructionChanged CauseKind = "instruction-changed"
	ContextChanged     CauseKind = "context-changed"
	EnvChanged         CauseKind = "env-changed"
	ArgChanged         CauseKind = "arg-changed"
	UserChanged        CauseKind = "user-changed"
	WorkdirChanged     CauseKind = "workdir-changed"
	ShellChanged       CauseKind = "shell-changed"
	BaseChanged        CauseKind = "base-changed"
	StageRebuilt       CauseKind = "stage-rebuilt"
	Follows            CauseKind = "follows"
	RemoteSource       CauseKind = "remote-source"
	NoCache            CauseKind = "no-cache"
	NoBaseline         CauseKind = "no-baseline"
	SettingChanged     CauseKind = "setting-changed"  // of the build as a whole, such as its network mode
	NotInCache         CauseKind = "not-in-cache"     // the builder does not have the result, or perhaps not
	Invalid            CauseKind = "invalid"          // BuildKit rejects the instruction
	MissingArgument    CauseKind = "missing-argument" // a build argument has no value where one is needed
	MissingSource      CauseKind = "missing-source"   // what is copied or mounted is not there
)

// Cause says why an instruction is rebuilt, or why the build fails at it.
type Cause struct {
	Kind   CauseKind `json:"kind"`
	Line   int       `json:"line"`            // 1-based line that the cause comes from
	Paths  []string  `json:"paths,omitempty"` // for ContextChanged: the files, relative to the context
	Detail string    `json:"detail"`          // one sentence for people, without line break
}

// Step is the verdict on one instruction, as `layerwise predict --format json` and layerwise/cacheStatus give it.
type Step struct {
	Line        int    `json:"line"` // 1-based
	EndLine     int    `json:"endLine"`
	Stage       string `json:"stage"` // the stage's name, or its index where it has none; "" above the first FROM
	Instruction string `json:"instruction"`
	Text        string `json:"text"` // the instruction on one line
	Status      Status `json:"status"`
	Certain     bool   `json:"certain"`
	Cause       *Cause `json:"cause,omitempty"` // for Rebuilt and Fails only
	// Assuming is what a Cached rests on that nobody can know here, a sentence each: that a tag still names the same
	// image, that a base image has no ONBUILD.
	Assuming []string `json:"assuming,omitempty"`
	Detail   string   `json:"detail,omitempty"`  // an assumption or remark, for people
	Seconds  *float64 `json:"seconds,omitempty"` // how long the step took, where a record knows
	Bytes    *int64   `json:"bytes,omitempty"`   // what its layer adds, where a record knows
	Shared   bool     `json:"shared,omitempty"`  // images that the engine keeps are known to have that layer too
}

// Sign stands for a verdict in terminals and editors; "" where nothing is to run. What is only perhaps rebuilt looks
// other than what certainly is.
func (s *Step) Sign() string {
	switch {
	case s.Status == Rebuilt && !s.Certain:
		return "◌"
	case s.Status == Rebuilt:
		return "↻"
	case s.Status == Cached:
		return "✓"
	case s.Status == Fails:
		return "✗"
	case s.Status == Unknown:
		return "?"
	}
	return ""
}

// Baseline says what a report compares with.
type Baseline struct {
	Kind string `json:"kind"` // "recorded", "git", "dir", "opened" or "none"
	Ref  string `json:"ref"`  // the revision, the directory, ...; "" where the kind says it all
	// Builder names the builder that is known to have made these builds; "" where that is only assumed.
	Builder string `json:"builder,omitempty"`
	// Assumed is a sentence such as "HEAD was built here", "" where a builder or its record is known.
	Assumed string `json:"assumed,omitempty"`
	// Cache is the mode of the cache that a fresh builder imports; "" where the builder has what it built.
	Cache CacheMode `json:"cache,omitempty"`
}

// Summary counts a report's steps.
type Summary struct {
	Cached  int      `json:"cached"`
	Rebuilt int      `json:"rebuilt"`
	Config  int      `json:"config"`
	Skipped int      `json:"skipped"`
	Unknown int      `json:"unknown"`
	Fails   int      `json:"fails"`
	Seconds *float64 `json:"seconds,omitempty"` // of the rebuilt steps, where all are known
}

// Report is the answer of `layerwise predict`.
type Report struct {
	File   string `json:"file"`
	Engine Engine `json:"engine"`
	Target string `json:"target"`
	// Build names the Compose service or bake target whose settings are taken: "compose:web".
	Build    string   `json:"build,omitempty"`
	Baseline Baseline `json:"baseline"`
	Steps    []Step   `json:"steps"` // one per instruction, in file order
	Summary  Summary  `json:"summary"`
}
