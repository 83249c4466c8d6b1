package daemon

import (
	"testing"
	"time"

	controlapi "github.com/moby/buildkit/api/services/control"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// What a run left on the disk is a snapshot that was made while it ran and bears its name, if there is one only.
func TestOnDisk(t *testing.T) {
	from := time.Unix(1_000_000, 0)
	record := func(name string, after time.Duration, size int64, shared bool) *controlapi.UsageRecord {
		return &controlapi.UsageRecord{
			Description: name,
			CreatedAt:   timestamppb.New(from.Add(after)),
			Size:        size,
			Shared:      shared,
		}
	}
	const run1, copy1 = "[2/3] RUN make", "[3/3] COPY a /"
	for _, c := range []struct {
		why, step string
		records   []*controlapi.UsageRecord
		size      int64 // 0 if it is not known
		shared    bool
	}{
		{"a copy by its " +
			"name", copy1, []*controlapi.UsageRecord{record(copy1, time.Second, 5, false), record("other", time.Second,
			9, true)}, 5, false},
		{"a command by its mount, that images " +
			"share", run1, []*controlapi.UsageRecord{record("mount / from exec /bin/sh -c "+
			"make", time.Second, 7, true)}, 7, true},
		{"made before it ran", copy1, []*controlapi.UsageRecord{record(copy1, -time.Second, 5, false)}, 0, false},
		{"made after it ran", copy1, []*controlapi.UsageRecord{record(copy1, 3*time.Second, 5, false)}, 0, false},
		{"two of that " +
			"name", copy1, []*controlapi.UsageRecord{record(copy1, time.Second, 5, false), record(copy1, time.Second, 6,
			false)}, 0, false},
		{"a mount is no " +
			"copy's", copy1, []*controlapi.UsageRecord{record("mount / from exec x", time.Second, 7, false)}, 0, false},
	} {
		got := (&run{name: c.step, from: from, to: from.Add(2 * time.Second)}).onDisk(&remains{c.records})
		if got.GetSize() != c.size || got.GetShared() != c.shared {
			t.Errorf("%s: %v", c.why, got)
		}
	}
}

// A step is named by its stage and number, and as a trigger; what it left is described by its command.
func TestDescribes(t *testing.T) {
	for _, c := range []struct {
		left, name string
		want       bool
	}{
		{"mount / from exec /bin/sh -c make", "[2/3] RUN make", true},
		{"mount / from exec /bin/sh -c make", "[build 2/3] ONBUILD RUN make", true},
		{"[2/3] COPY a /", "[linux/amd64 build 5/7] COPY a /", true},
		{"[2/3] COPY a /", "[build 5/7] ONBUILD COPY a /", true},
		{"mount / from exec /bin/sh -c make", "[build 2/3] COPY make /", false},
		{"[2/3] COPY a /", "[3/3] COPY b /", false},
	} {
		if got := describes(&controlapi.UsageRecord{Description: c.left}, c.name, ""); got != c.want {
			t.Errorf("%q of %q: %v", c.left, c.name, got)
		}
	}
}

// What an image had already bears no name, and neither does what a build imports.
func TestUnpacked(t *testing.T) {
	at := func(second int) *timestamppb.Timestamp { return timestamppb.New(time.Unix(int64(second), 0)) }
	build := func(from, to int, imports string) *controlapi.BuildHistoryRecord {
		return &controlapi.BuildHistoryRecord{
			CreatedAt: at(from), CompletedAt: at(to), FrontendAttrs: map[string]string{"cache-imports": imports},
		}
	}
	for prose, c := range map[string]struct {
		description string
		history     []*controlapi.BuildHistoryRecord
		want        bool
	}{
		"while a build ran":                  {"", []*controlapi.BuildHistoryRecord{build(1, 3, "")}, true},
		"while none ran":                     {"", []*controlapi.BuildHistoryRecord{build(3, 4, "")}, false},
		"no build is remembered":             {"", nil, false},
		"while a build imported":             {"", []*controlapi.BuildHistoryRecord{build(1, 3, "[{}]")}, false},
		"while another one beside it did":    {"", []*controlapi.BuildHistoryRecord{build(1, 3, ""), build(2, 9, "[{}]")}, false},
		"another build imported later":       {"", []*controlapi.BuildHistoryRecord{build(1, 3, ""), build(4, 9, "[{}]")}, true},
		"it has the name of what has run it": {"[2/3] COPY a /", []*controlapi.BuildHistoryRecord{build(1, 3, "")}, false},
	} {
		u := &controlapi.UsageRecord{Description: c.description, CreatedAt: at(2)}
		if got := unpacked(u, c.history); got != c.want {
			t.Errorf("%s: %v", prose, got)
		}
	}
}
