package dockerfile

import "strings"

// keywords are all instructions, in the order of the Dockerfile reference.
var keywords = []string{
	"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL",
	"MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}

// flagNames are the flags that BuildKit's instructions package takes, the commonest first.
var flagNames = map[string][]string{
	"ADD":         {"chown", "chmod", "link", "checksum", "exclude", "keep-git-dir", "unpack"},
	"COPY":        {"from", "chown", "chmod", "link", "parents", "exclude"},
	"FROM":        {"platform"},
	"HEALTHCHECK": {"interval", "timeout", "start-period", "start-interval", "retries"},
	"RUN":         {"mount", "network", "security", "device"},
}

// Keywords returns all instructions, upper case, sorted.
func Keywords() []string { return append([]string(nil), keywords...) }

// FlagNames returns the flags that an instruction takes, without "--", the commonest first.
func FlagNames(instruction string) []string {
	return append([]string(nil), flagNames[strings.ToUpper(instruction)]...)
}

// keyword returns the instruction that word is, upper case, or "".
func keyword(word string) string {
	for _, k := range keywords {
		if strings.EqualFold(k, word) && len(k) == len(word) {
			return k
		}
	}
	return ""
}

// matchCase returns word in lower case if typed is written so.
func matchCase(word, typed string) string {
	if typed == strings.ToLower(typed) {
		return strings.ToLower(word)
	}
	return word
}

// flagValues are the values of flags that take only certain ones.
var flagValues = map[string][]string{
	"keep-git-dir": {"true", "false"},
	"link":         {"true", "false"},
	"network":      {"default", "none", "host"},
	"parents":      {"true", "false"},
	"security":     {"sandbox", "insecure"},
	"unpack":       {"true", "false"},
}

// otherNames are flags that other tools have for the same, and what they are here.
var otherNames = map[string]map[string]string{
	"ADD": {
		"owner": "chown", "user": "chown", "chgrp": "chown", "own": "chown", "mode": "chmod", "perm": "chmod",
		"perms": "chmod", "permissions": "chmod",
		"sha256": "checksum", "digest": "checksum", "hash": "checksum", "extract": "unpack", "untar": "unpack",
		"ignore": "exclude", "except": "exclude",
	},
	"COPY": {
		"owner": "chown", "user": "chown", "chgrp": "chown", "own": "chown", "mode": "chmod", "perm": "chmod",
		"perms": "chmod", "permissions": "chmod",
		"stage": "from", "source": "from", "src": "from", "image": "from", "ignore": "exclude", "except": "exclude",
	},
	"HEALTHCHECK": {
		"retry": "retries", "retrys": "retries", "wait": "start-period", "start": "start-period",
		"period": "start-period", "delay": "start-period", "initial-delay": "start-period", "attempts": "retries",
		"tries": "retries", "every": "interval",
	},
	"RUN": {
		"cache": "mount=type=cache", "secret": "mount=type=secret", "ssh": "mount=type=ssh",
		"tmpfs": "mount=type=tmpfs", "bind": "mount=type=bind",
		"net": "network", "privileged": "security=insecure", "volume": "mount",
	},
}
