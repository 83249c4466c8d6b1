package dockerfile

import "strings"

// Names says in messages what IsName accepts.
const Names = "Dockerfile, Dockerfile.*, *.Dockerfile, Containerfile, Containerfile.*, *.Containerfile"

// IsName reports whether a file of that name, without folders, is opened as a Dockerfile by editors that go by names, in
// any letter case. Their ignore files and notes about them are none.
func IsName(name string) bool {
	name = strings.ToLower(name)
	switch {
	case strings.HasSuffix(name, ".dockerignore"), strings.HasSuffix(name, ".md"):
		return false
	case strings.HasSuffix(name, ".dockerfile"), strings.HasSuffix(name, ".containerfile"):
		return true
	}
	stem, _, _ := strings.Cut(name, ".")
	return stem == "dockerfile" || stem == "containerfile"
}
