// Package shellcheck asks the program ShellCheck about shell scripts. It reads nothing and knows no Dockerfiles:
// scripts come in, remarks come out.
package shellcheck

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/layerwise/layerwise/analysis"
	"github.com/layerwise/layerwise/analysis/rules"
	"github.com/layerwise/layerwise/analysis/shellscript"
	"github.com/layerwise/layerwise/analysis/source"
)

const (
	timeout = 20 * time.Second // for one call
	longest = 60 * time.Second // for all calls
	atOnce  = 200              // scripts in one call
)

// ignored are remarks that make no sense for a command in a Dockerfile: about sourced files, which lie in the image;
// about variables that may come from the base image; and about what POSIX lacks but every shell of an image has.
const ignored = "SC1090,SC1091,SC2154,SC3040,SC3043"

// Find returns the path of the program; "" if it is not installed.
func Find() string {
	path, err := exec.LookPath("shellcheck")
	if err != nil {
		return ""
	}
	return path
}

// Check asks about scripts. The error says that the program failed, or that there was no time for all of them; there
// may be remarks on some of the scripts all the same.
func Check(
	ctx context.Context,
	program string,
	scripts []rules.ShellScript,
) (map[rules.ShellScript][]rules.ShellRemark, error) {
	return check(ctx, program, scripts, time.Now().Add(longest))
}

// check is Check that begins no call after the time until.
func check(
	ctx context.Context,
	program string,
	scripts []rules.ShellScript,
	until time.Time,
) (map[rules.ShellScript][]rules.ShellRemark, error) {
	found := make(map[rules.ShellScript][]rules.ShellRemark, len(scripts))
	byShell := map[string][]rules.ShellScript{}
	for _, s := range scripts {
		if !readable(s) {
			found[s] = nil
			continue
		}
		byShell[s.Shell] = append(byShell[s.Shell], s)
	}
	for shell, list := range byShell {
		for part := range slices.Chunk(list, atOnce) {
			if time.Now().After(until) {
				return found, fmt.Errorf("only %d of %d commands were checked: there was no time for more", len(found),
					len(scripts))
			}
			if err := call(ctx, program, shell, part, found); err != nil {
				return found, err
			}
		}
	}
	return found, nil
}

// readable reports whether a shell can read the script. ShellCheck is not asked about others: what it says of them is not
// used, and it needs minutes for a few kilobytes of open brackets.
func readable(s rules.ShellScript) bool {
	_, err := shellscript.ParseStrict(s.Text)
	return err == nil
}

// call asks about some scripts for one shell, which are written to files for it.
func call(
	ctx context.Context,
	program, shell string,
	scripts []rules.ShellScript,
	found map[rules.ShellScript][]rules.ShellRemark,
) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dir, err := os.MkdirTemp("", "layerwise-shellcheck-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	args := []string{"--norc", "--format=json1", "--shell=" + shell, "--exclude=" + ignored, "--"}
	for i, s := range scripts {
		name := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(name, []byte(s.Text), 0o600); err != nil {
			return err
		}
		args = append(args, name)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "SHELLCHECK_OPTS=", "LC_ALL=C.UTF-8") // it reads by the locale
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err = cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var answer struct{ Comments []comment }
	if json.Unmarshal(out.Bytes(), &answer) != nil {
		return fmt.Errorf("%s: %v: %s", program, err, strings.TrimSpace(problems.String()))
	}
	for _, s := range scripts {
		found[s] = nil
	}
	for _, c := range answer.Comments {
		i, err := strconv.Atoi(filepath.Base(c.File))
		// A script that it cannot read is the rule shell-syntax's business.
		unreadable := c.Level == "error" && c.Code > 0 && c.Code < 2000 ||
			c.Code == 1009 // which says where such an error is
		if err != nil || i < 0 || i >= len(scripts) || unreadable {
			continue
		}
		s := scripts[i]
		found[s] = append(found[s], c.remark(source.New(s.Text)))
	}
	return nil
}

// comment is one of ShellCheck's in its format json1, in which lines and columns count from 1, columns in characters.
type comment struct {
	File string
	place
	Level   string
	Code    int
	Message string
	Fix     *struct {
		Replacements []struct {
			place
			Replacement string
		}
	}
}

type place struct{ Line, Column, EndLine, EndColumn int }

func (c comment) remark(text *source.Text) rules.ShellRemark {
	span := c.span(text)
	r := rules.ShellRemark{
		From:     span.Start,
		To:       span.End,
		Code:     fmt.Sprintf("SC%04d", c.Code),
		Severity: analysis.Warning,
		Message:  c.Message,
	}
	if c.Level == "info" || c.Level == "style" {
		r.Severity = analysis.Hint
	}
	if c.Fix != nil {
		for _, f := range c.Fix.Replacements {
			r.Edits = append(r.Edits, source.Edit{Span: f.span(text), NewText: f.Replacement})
		}
	}
	return r
}

func (p place) span(text *source.Text) source.Span {
	start := offset(text, p.Line, p.Column)
	return source.Span{Start: start, End: max(start, offset(text, p.EndLine, p.EndColumn))}
}

func offset(text *source.Text, line, column int) int {
	span := text.Line(min(max(line-1, 0), text.EndLine()-1))
	at := span.Start
	for ; column > 1 && at < span.End; column-- {
		_, n := utf8.DecodeRuneInString(text.Slice(source.Span{Start: at, End: span.End}))
		at += n
	}
	return at
}
