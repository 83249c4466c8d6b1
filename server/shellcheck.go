package server

import (
	"context"
	"time"

	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/cachemodel/workspace/shellcheck"
	"go.uber.org/zap"
)

// pause is how long nobody must type before ShellCheck is asked, so that it is not about every half a word.
const pause = 400 * time.Millisecond

// shellRemarks is what ShellCheck says of scripts, those of the newest text only: immutable.
type shellRemarks map[rules.ShellScript][]rules.ShellRemark

func (r shellRemarks) of(s rules.ShellScript) []rules.ShellRemark { return r[s] }

// shellCheckLoop asks ShellCheck about the scripts of d that are new, once each, beside everything else.
func (s *session) shellCheckLoop(ctx context.Context, d *document) {
	program := shellcheck.Find()
	if program == "" || s.untrusted {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.scripts:
		}
		for quiet := false; !quiet; {
			select {
			case <-ctx.Done():
				return
			case <-d.scripts:
			case <-time.After(pause):
				quiet = true
			}
		}
		s.shellCheck(ctx, d, program)
	}
}

func (s *session) shellCheck(ctx context.Context, d *document, program string) {
	defer s.rescue("asking ShellCheck")
	s.mu.Lock()
	file, known := d.current.file, d.remarks
	own, _ := s.settingsOfLocked(d.uri)
	s.mu.Unlock()
	if !own.ShellCheck {
		return
	}
	next := shellRemarks{}
	var asked []rules.ShellScript
	for _, script := range rules.ShellScripts(file) {
		if remarks, ok := known[script]; ok {
			next[script] = remarks
		} else {
			asked = append(asked, script)
		}
	}
	if len(asked) == 0 {
		return
	}
	answers, err := shellcheck.Check(ctx, program, asked)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("ShellCheck failed", zap.Error(err))
	}
	for _, script := range asked {
		next[script] = answers[script] // of what failed, nothing: it would fail again
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	d.remarks = next
	d.current = s.snapshotLocked(d, d.current.file, d.build)
	d.wake(d.publish)
	s.refreshSoon()
}
