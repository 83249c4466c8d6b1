// Package secret knows what looks like a secret, by its name or by its value. It errs towards taking too much for one:
// those who ask hide a value or compare it by its hash, which costs little where it was none.
//
// It must not know where the names and values come from.
package secret

import (
	"regexp"
	"strings"
)

// Name reports whether one of the words in a variable's name, between underscores, is one that BuildKit takes for a
// secret's (getSecretsRegex in its dockerfile2llb).
func Name(name string) bool {
	secret, _ := words(name)
	return secret
}

// words says whether a name has a word for a secret, and whether it has one that lets it through.
func words(name string) (secret, harmless bool) {
	for word := range strings.SplitSeq(name, "_") {
		switch strings.ToLower(word) {
		case "apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token":
			secret = true
		case "public", "file", "version":
			harmless = true
		}
	}
	return secret && !harmless, harmless
}

// looseName finds names that are a secret's without being written as words: githubToken, DBPASS, secretKeyBase.
var looseName = regexp.MustCompile(
	`(?i)passw|passphrase|secret|token|credential|api_?key|private_?key|access_?key|(^|_)(db|my|pg)?pass($|_)|(^|_)(pw|pwd|pat|dsn|jwt|cookie|signature)($|_)`,
)

// shapes are those of values that are secrets whatever their name.
var shapes = []*regexp.Regexp{
	regexp.MustCompile(`-----BEGIN [A-Z ]*(PRIVATE KEY|CERTIFICATE)`),
	regexp.MustCompile(
		`(?i)^[a-z][a-z0-9+.-]*://[^/@\s]*:[^/@\s]+@`,
	), // a URL with a password
	regexp.MustCompile(
		`(?i)^[a-z][a-z0-9+.-]*://[^/@:\s]{16,}@`,
	), // ... with a token for a user
	regexp.MustCompile(
		`(?i)\b(bearer|basic)\s+[a-z0-9+/._=-]{8,}`,
	), // an Authorization header
	regexp.MustCompile(
		`(?i)(password|passwd|pwd|secret|token|api_?key|_auth(token)?)\s*[=:]\s*["']?\S{3,}`,
	), // a setting within the value
	regexp.MustCompile(
		`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}`,
	), // a JSON web token
	regexp.MustCompile(
		`\b(gh[opusr]_|github_pat_|glpat-|gl[a-z]{2,4}-|npm_|pypi-|xox[a-z]-|sk[_-]|rk_|dckr_pat_|hvs\.|shp(at|ss|ca)_|SG\.|AIza|ya29\.|dop_v1_|figd_|lin_api_|hf_)[A-Za-z0-9_.-]{10,}`,
	),
	regexp.MustCompile(`\b(AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b`), // Amazon's key ids
}

// opaque is a word of letters and digits that nobody types: keys, and hashes with them.
var opaque = regexp.MustCompile(`[A-Za-z0-9+/_=-]{20,}`)

// Value reports whether a value is shaped like a secret.
func Value(value string) bool {
	for _, shape := range shapes {
		if shape.MatchString(value) {
			return true
		}
	}
	for _, word := range opaque.FindAllString(value, -1) {
		if random(word) {
			return true
		}
	}
	return false
}

// random reports whether a word mixes its letters and digits as only a machine does: there are digits, and letters and
// digits follow each other often.
func random(word string) bool {
	digits, turns, upper, lower := 0, 0, false, false
	for i := range len(word) {
		c := word[i]
		isDigit := '0' <= c && c <= '9'
		upper = upper || 'A' <= c && c <= 'Z'
		lower = lower || 'a' <= c && c <= 'z'
		if isDigit {
			digits++
		}
		if i > 0 && isDigit != ('0' <= word[i-1] && word[i-1] <= '9') {
			turns++
		}
	}
	return digits > 0 && (upper || lower) && turns*5 >= len(word)
}

// Is reports whether a variable of that name and value looks like a secret. Nothing is no secret.
func Is(name, value string) bool {
	if value == "" {
		return false
	}
	byName, harmless := words(name)
	return byName || !harmless && looseName.MatchString(name) || Value(value)
}
