package rules

import (
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// imageEnv are the variables that official images set beside PATH, by the image's name: those of any tag, as their
// Dockerfiles of 2026-11 and before have them (https://github.com/docker-library/official-images). An image that is not
// listed may set anything.
var imageEnv = func() map[string][]string {
	table := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(`
alpine debian ubuntu busybox centos rockylinux almalinux amazonlinux archlinux bash:_BASH_COMMIT,_BASH_VERSION,_BASH_BASELINE,_BASH_BASELINE_PATCH,_BASH_LATEST_PATCH,_BASH_PATCH_LEVEL,_BASH_GPG_KEY
node:NODE_VERSION,YARN_VERSION,NPM_CONFIG_LOGLEVEL
python:LANG,GPG_KEY,PYTHON_VERSION,PYTHON_SHA256,PYTHON_PIP_VERSION,PYTHON_SETUPTOOLS_VERSION,PYTHON_GET_PIP_URL,PYTHON_GET_PIP_SHA256
golang:GOLANG_VERSION,GOTOOLCHAIN,GOPATH,GOLANG_DOWNLOAD_URL,GOLANG_DOWNLOAD_SHA256
rust:RUSTUP_HOME,CARGO_HOME,RUST_VERSION
ruby:LANG,RUBY_MAJOR,RUBY_VERSION,RUBY_DOWNLOAD_SHA256,RUBY_DOWNLOAD_URL,RUBYGEMS_VERSION,BUNDLER_VERSION,GEM_HOME,BUNDLE_PATH,BUNDLE_BIN,BUNDLE_SILENCE_ROOT_WARNING,BUNDLE_APP_CONFIG
php:PHPIZE_DEPS,PHP_INI_DIR,PHP_EXTRA_CONFIGURE_ARGS,PHP_EXTRA_BUILD_DEPS,PHP_CFLAGS,PHP_CPPFLAGS,PHP_LDFLAGS,GPG_KEYS,PHP_VERSION,PHP_URL,PHP_ASC_URL,PHP_SHA256,PHP_MD5,APACHE_CONFDIR,APACHE_ENVVARS
nginx:NGINX_VERSION,NJS_VERSION,NJS_RELEASE,ACME_VERSION,PKG_RELEASE,DYNPKG_RELEASE
httpd:HTTPD_PREFIX,HTTPD_VERSION,HTTPD_SHA256,HTTPD_PATCHES,APACHE_DIST_URLS
eclipse-temurin:JAVA_HOME,LANG,LANGUAGE,LC_ALL,JAVA_VERSION
openjdk:JAVA_HOME,LANG,JAVA_VERSION,JAVA_DEBIAN_VERSION,JAVA_ALPINE_VERSION,JAVA_BASE_URL,JAVA_URL_VERSION,CA_CERTIFICATES_JAVA_VERSION
`), "\n") {
		for word := range strings.FieldsSeq(line) {
			name, variables, _ := strings.Cut(word, ":")
			table[name] = strings.FieldsFunc(variables, func(r rune) bool { return r == ',' })
		}
	}
	return table
}()

// imageSets reports whether an image sets a variable, and whether that is known.
func imageSets(image, name string) (sets, known bool) {
	if image == "scratch" {
		return false, true
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil || reference.Domain(named) != "docker.io" {
		return false, false
	}
	tagged, _ := named.(reference.Tagged)
	if tagged != nil && strings.Contains(tagged.Tag(), "onbuild") {
		return false, false
	}
	variables, known := imageEnv[strings.TrimPrefix(reference.Path(named), "library/")]
	return slices.Contains(variables, name), known && strings.HasPrefix(reference.Path(named), "library/")
}
