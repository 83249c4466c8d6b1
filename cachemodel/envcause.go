package cachemodel

import (
	"maps"
	"slices"
)

// settingDiff is the first difference between the variables that a step has and those that its mate had.
type settingDiff struct {
	kind     diffKind
	now, was *envNode // was is nil for one that is new, now for one that was removed
	// keys are all that were set when it was found and since, where it matters which these are
	keys map[string]bool
}

type diffKind int

const (
	sameSettings     diffKind = iota // one by one, in the same order
	noReason                         // they differ in nothing that is a reason
	changedSetting                   // has another value, or is new
	removedSetting                   // is gone
	reorderedSetting                 // stands where another one stood
)

// envCause compares the environments of a step and its mate: all of them, or only the variables named.
func (e *explainer) envCause(s, mate *step, names []string) (Cause, bool) {
	if s.env == mate.env {
		return Cause{}, false
	}
	var d settingDiff
	if names == nil {
		d = e.firstDiff(s.env, mate.env)
	} else {
		d = diffOf(s.env.named(names), mate.env.named(names))
	}
	switch d.kind {
	case changedSetting:
		return e.settingCause(s, d.now, d.was), true
	case removedSetting:
		c := e.settingCause(s, d.was, d.was)
		c.Line, c.Detail = 0, settingName(d.was)+" was removed above"
		return c, true
	case reorderedSetting:
		if names == nil {
			c := e.settingCause(s, d.now, d.now)
			c.Detail = "the order of the variables above changed, from " + settingName(d.now) + " on"
			return c, true
		}
	}
	return Cause{}, false
}

// firstDiff compares two environments. What was found above is used again: settings that both end with alike change
// nothing of a difference but in the variables that they set.
func (e *explainer) firstDiff(now, was *envNode) settingDiff {
	key := [2]*envNode{now, was}
	since := map[string]bool{}
	for a, b := now, was; ; a, b = a.parent, b.parent {
		d, known := e.settings[[2]*envNode{a, b}]
		if a == b {
			d, known = settingDiff{}, true
		}
		if known && d.holds(since) {
			e.settings[key] = d
			return d
		}
		if known || a == nil || b == nil || a.key != b.key || a.val != b.val {
			break
		}
		since[a.key] = true
	}
	d := diffOf(now.list(), was.list())
	e.settings[key] = d
	return d
}

// holds reports whether it is still the difference where some variables are set once more, on both sides alike.
func (d settingDiff) holds(since map[string]bool) bool {
	switch d.kind {
	case sameSettings:
		return true
	case changedSetting:
		return !since[d.now.key]
	case removedSetting:
		return !since[d.was.key]
	}
	for key := range since { // set once more, it leaves its place
		if d.keys[key] {
			return false
		}
	}
	maps.Copy(d.keys, since)
	return true
}

// diffOf compares two lists of the settings in force. What an unknown base image sets is no reason: its FROM tells.
func diffOf(now, was []*envNode) settingDiff {
	counts := func(n *envNode) bool { return n.origin != origin{} || n.val.opaque == "" }
	byKey := func(list []*envNode) map[string]*envNode {
		m := make(map[string]*envNode, len(list))
		for _, n := range list {
			m[n.key] = n
		}
		return m
	}
	old := byKey(was)
	for _, n := range now {
		if o := old[n.key]; counts(n) && (o == nil || o.val != n.val) {
			return settingDiff{kind: changedSetting, now: n, was: o}
		}
	}
	set := byKey(now)
	for _, o := range was {
		if counts(o) && set[o.key] == nil {
			return settingDiff{kind: removedSetting, was: o}
		}
	}
	keys := make(map[string]bool, len(now))
	for _, n := range slices.Concat(now, was) {
		keys[n.key] = true
	}
	if len(now) != len(was) {
		return settingDiff{kind: noReason, keys: keys}
	}
	kind := sameSettings
	for i, n := range now {
		if n.key != was[i].key || n.val != was[i].val {
			kind = noReason
		}
		if n.key != was[i].key && counts(n) {
			return settingDiff{reorderedSetting, n, was[i], keys}
		}
	}
	return settingDiff{kind: kind, keys: keys}
}

// named returns those of the settings in force that have one of the names, in order.
func (n *envNode) named(names []string) []*envNode {
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	var list []*envNode
	for ; n != nil && len(wanted) > 0; n = n.parent {
		if wanted[n.key] {
			delete(wanted, n.key)
			list = append(list, n)
		}
	}
	slices.Reverse(list)
	return list
}
