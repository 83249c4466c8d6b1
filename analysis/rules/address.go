package rules

import (
	"regexp"
	"strings"
)

var (
	brokenAddress = regexp.MustCompile(
		`^([a-z]{3,7})(?::/{0,3}|//|/:/|;//|:\\\\)(?:https?://)?([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?:[:/].*)?)$`)
	gitAddress    = regexp.MustCompile(`^git@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)/(.+)$`)
	foreignScheme = regexp.MustCompile(`^(?:ftp|sftp|s3|gs|scp|rsync)://`)
)

// meantAddress is the address that is meant by one whose scheme is misspelt, stands twice or lacks a colon or slash, or
// that has a slash for Git's colon; "" if it is right, or no address.
func meantAddress(text string) string {
	if m := gitAddress.FindStringSubmatch(text); m != nil {
		return "git@" + m[1] + ":" + m[2]
	}
	m := brokenAddress.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	scheme := "http"
	if strings.Contains(m[1], "s") {
		scheme = "https"
	}
	meant := scheme + "://" + m[2]
	if meant == text || m[1] != scheme && !oneEdit(m[1], scheme) {
		return ""
	}
	return meant
}
