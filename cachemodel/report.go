package cachemodel

// Status is the verdict on one instruction.
type Status string

// The verdicts. Cached and Rebuilt are promises; see Step.Certain.
const (
	Cached  Status = "cached"  // the next build will not execute it
	Rebuilt Status = "rebuilt" // the next build will execute it
	Config  Status = "config"  // makes no layer and runs nothing
	Skipped Status = "skipped" // not part of this target
	Unknown Status = "unknown" // the instruction cannot be read far enough to tell
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
)

// Cause says why an instruction is rebuilt.
type Cause struct {
	Kind   CauseKind `json:"kind"`
	Line   int       `json:"line"`            // 1-based line that the cause comes from
	Paths  []string  `json:"paths,omitempty"` // for ContextChanged: the files, relative to the context
	Detail string    `json:"detail"`          // one sentence for people, without line break
}

// Step is the verdict on one instruction, as `layerwise predict --format json` and layerwise/cacheStatus give it.
type Step struct {
	Line        int      `json:"line"` // 1-based
	EndLine     int      `json:"endLine"`
	Stage       string   `json:"stage"` // the stage's name, or its index where it has none; "" above the first FROM
	Instruction string   `json:"instruction"`
	Text        string   `json:"text"` // the instruction on one line
	Status      Status   `json:"status"`
	Certain     bool     `json:"certain"`
	Cause       *Cause   `json:"cause,omitempty"`   // for Rebuilt only
	Detail      string   `json:"detail,omitempty"`  // an assumption or remark, for people
	Seconds     *float64 `json:"seconds,omitempty"` // how long the step took, where a record knows
	Bytes       *int64   `json:"bytes,omitempty"`   // what its layer adds, where a record knows
	Shared      bool     `json:"shared,omitempty"`  // images that the engine keeps are known to have that layer too
}

// Baseline says what a report compares with.
type Baseline struct {
	Kind string `json:"kind"` // "recorded", "git", "dir", "opened" or "none"
	Ref  string `json:"ref"`  // the revision, the directory, ...; "" where the kind says it all
}

// Summary counts a report's steps.
type Summary struct {
	Cached  int      `json:"cached"`
	Rebuilt int      `json:"rebuilt"`
	Config  int      `json:"config"`
	Skipped int      `json:"skipped"`
	Unknown int      `json:"unknown"`
	Seconds *float64 `json:"seconds,omitempty"` // of the rebuilt steps, where all are known
}

// Report is the answer of `layerwise predict`.
type Report struct {
	File     string   `json:"file"`
	Engine   Engine   `json:"engine"`
	Target   string   `json:"target"`
	Build    string   `json:"build,omitempty"` // the Compose service or bake target whose settings are taken: "compose:web"
	Baseline Baseline `json:"baseline"`
	Steps    []Step   `json:"steps"` // one per instruction, in file order
	Summary  Summary  `json:"summary"`
}
