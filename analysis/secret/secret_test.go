package secret

import "testing"

func TestIs(t *testing.T) {
	for _, c := range []struct {
		why, name, value string
		want             bool
	}{
		{"BuildKit's words", "GITHUB_TOKEN", "x", true},
		{"in lower case", "db_password", "x", true},
		{"one that is public", "PUBLIC_KEY", "x", false},
		{"the name of a file", "TOKEN_FILE", "/run/x", false},
		{"words written together", "githubToken", "x", true},
		{"short for a password", "DB_PASS", "x", true},
		{"nothing is no secret", "TOKEN", "", false},
		{"a version", "NODE_VERSION", "20.1.0", false},
		{"an image", "BASE", "registry.example.com/team/app:1.2.3", false},
		{"a sentence", "GREETING", "hello to all of you out there", false},
		{"a path", "SRC", "/usr/local/share/ca-certificates/internal", false},
		{"a word like others", "COMPASS", "north", false},
		{"a path to pass", "BYPASS", "yes", false},
		{"a URL", "INDEX", "https://pypi.org/simple", false},
		{"a URL with a password", "INDEX", "https://me:pw123@pypi.example.com/simple", true},
		{"a URL with a port", "PROXY", "http://proxy.example.com:3128/", false},
		{"a GitHub token", "X", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", true},
		{"an AWS key id", "X", "AKIAIOSFODNN7EXAMPLE", true},
		{"a JSON web token", "X", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.abc", true},
		{"a private key", "X", "-----BEGIN RSA PRIVATE KEY-----\nMII", true},
		{"a header", "X", "Authorization: Bearer abcdefgh12345", true},
		{"an npmrc", "NPMRC", "//registry.npmjs.org/:_authToken=abcdef", true},
		{"digits and letters as machines mix them", "X", "9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c", true},
	} {
		if got := Is(c.name, c.value); got != c.want {
			t.Errorf("%s: %s=%s is %v", c.why, c.name, c.value, got)
		}
	}
}
