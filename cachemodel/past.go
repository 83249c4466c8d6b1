package cachemodel

// Past is a build that a builder has made, as far as it is known what of it is in that builder's cache now.
type Past struct {
	Plan *Plan
	// FailedAt is the 1-based line of the instruction at which the build failed, 0 if it did not fail. What the
	// instruction stands on was built; what stands on it was not; other branches perhaps.
	FailedAt int
	// Results says of instructions, by their first line, whether their results are in the cache now. It says more than
	// FailedAt. What it does not mention is there, as far as the build got.
	Results map[int]Result
	// Perhaps, unless it is "", is the reason, a sentence, why nothing of this build is certainly in the cache, such as
	// that nobody knows which of its steps the builder has pruned. What Results mentions is as it says.
	Perhaps string
}

// Result is what is known of one instruction's result in the cache.
type Result struct {
	Presence Presence
	Reason   string // a sentence, unless it is There
}

// Presence is whether a result is in the cache.
type Presence int

// The presences. The zero value is There.
const (
	There   Presence = iota // it certainly is
	Perhaps                 // nobody knows
	Gone                    // it certainly is not
)

// Pasts are builds that were made as they are planned, of which all is in the cache.
func Pasts(plans ...*Plan) []Past {
	pasts := make([]Past, len(plans))
	for i, p := range plans {
		pasts[i].Plan = p
	}
	return pasts
}
