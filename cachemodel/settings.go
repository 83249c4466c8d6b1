package cachemodel

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// normal writes the settings as they are in the key of a RUN (frontend/dockerui, dockerfile2llb.dispatchRun,
// ExecOp.CacheMap): an argument may set the host name; of extra hosts the names count, not their addresses.
func (s RunSettings) normal(args map[string]string) RunSettings {
	s.Hostname = cmp.Or(args[hostnameArg], s.Hostname)
	switch s.Network = strings.ToLower(s.Network); s.Network {
	case "default", "sandbox":
		s.Network = ""
	}
	s.ShmSize = max(s.ShmSize, 0)
	s.ExtraHosts = slices.Clone(s.ExtraHosts)
	for i, host := range s.ExtraHosts {
		if at := strings.IndexAny(host, "=:"); at >= 0 {
			host = host[:at]
		}
		s.ExtraHosts[i] = strings.ToLower(host)
	}
	s.Ulimits = slices.Clone(s.Ulimits)
	for i, text := range s.Ulimits {
		if limit, err := units.ParseUlimit(text); err == nil {
			s.Ulimits[i] = limit.String()
		}
	}
	s.Entitlements = nil // what is allowed is no part of what runs
	return s
}

type namedSetting struct{ name, value string }

// named are the settings that are part of keys, by their names for people.
func (s RunSettings) named() []namedSetting {
	shm := ""
	if s.ShmSize > 0 {
		shm = strconv.FormatInt(s.ShmSize, 10)
	}
	return []namedSetting{
		{"network mode", s.Network},
		{"size of /dev/shm", shm},
		{"list of ulimits", strings.Join(s.Ulimits, " ")},
		{"list of extra hosts", strings.Join(s.ExtraHosts, " ")},
		{"host name", s.Hostname},
		{"cgroup parent", s.CgroupParent},
	}
}

// Words says for people what is not as by default: "network mode host".
func (s RunSettings) Words() (words []string) {
	for _, setting := range s.normal(nil).named() {
		if setting.value != "" {
			words = append(words, setting.name+" "+setting.value)
		}
	}
	return words
}

// runSettings is what every RUN is run with, as it is part of its key, but for the network, which a flag may choose.
func (p *planner) runSettings() value {
	s := p.Settings.normal(p.args)
	w := (&keyWriter{}).str(s.Hostname, s.CgroupParent).num(int(s.ShmSize)).list(s.Ulimits).list(s.ExtraHosts)
	v := plain(string(w.lax))
	if p.Unknown.run() != "" {
		v = p.guess("run", v)
	}
	return v
}

// runFlags adds what the flags but the mounts say.
func (p *planner) runFlags(w *keyWriter, c command, cmd *instructions.RunCommand) {
	network := p.Settings.normal(nil).Network
	if len(c.in.Flags) == 0 {
		w.str(network, string(instructions.SecuritySandbox)).val(value{})
		return
	}
	if flag := instructions.GetNetwork(cmd); flag != instructions.NetworkDefault {
		network = string(flag)
	}
	w.str(network, string(instructions.GetSecurity(cmd)))
	w.val(devices(cmd))
}

// devices are the devices that a RUN asks for. Which of them it gets, and so which are in its key, is the builder's
// choice: one that is not there and not required is left out, and several names may stand for one
// (llbsolver.ValidateEntitlements).
func devices(cmd *instructions.RunCommand) value {
	asked := instructions.GetDevices(cmd)
	if len(asked) == 0 {
		return value{}
	}
	names := []string{"devices"}
	for _, d := range asked {
		names = append(names, d.Name, strconv.FormatBool(d.Required))
	}
	return value{opaque: opaque(names...)}
}

// deviceCause explains a RUN that asks for other devices than before.
func deviceCause(s, mate *step) (Cause, bool) {
	of := func(s *step) value {
		if run, ok := s.in.Command.(*instructions.RunCommand); ok && len(s.in.Flags) > 0 {
			return devices(run)
		}
		return value{}
	}
	if of(s) == of(mate) {
		return Cause{}, false
	}
	return Cause{Kind: InstructionChanged, Detail: notKnown + "which devices the builder has"}, true
}

// runSettingsCause finds which setting of what every RUN is run with changed.
func (e *explainer) runSettingsCause() (Cause, bool) {
	next, base := &e.next.build, &e.base.build
	if reason := cmp.Or(next.Unknown.run(), base.Unknown.run()); reason != "" {
		return Cause{Kind: SettingChanged, Detail: notKnown + "with which settings it ran: " + reason}, true
	}
	now, was := next.Settings.normal(next.Settings.Args), base.Settings.normal(base.Settings.Args)
	before := was.named()
	for i, setting := range now.named() {
		if setting != before[i] {
			return Cause{Kind: SettingChanged, Detail: "the build's " + setting.name + " changed"}, true
		}
	}
	return Cause{}, false
}
