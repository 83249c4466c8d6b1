package images

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// split takes a reference apart: its name without the registry and user that are the default, and its tag. A digest is
// left out.
func split(ref string) (name, tag string) {
	ref, _, _ = strings.Cut(ref, "@")
	slash := strings.LastIndexByte(ref, '/') + 1
	name, tag, _ = strings.Cut(ref[slash:], ":")
	name = ref[:slash] + name
	for _, hub := range []string{"docker.io/", "index.docker.io/", "library/", "public.ecr.aws/docker/library/"} {
		name = strings.TrimPrefix(name, hub)
	}
	return name, tag
}

// Of finds what is known of an image by a reference to it, whatever its tag; nil if it is none of Images.
func Of(ref string) *Image {
	name, _ := split(ref)
	for i := range Images {
		if Images[i].Name == name {
			return &Images[i]
		}
	}
	return nil
}

// Windows reports whether a reference names an image for Windows, or one that may be: tags of powershell are for Linux
// where they name a distribution.
func Windows(ref string) bool {
	contains := func(word string) bool { return strings.Contains(ref, word) }
	return slices.ContainsFunc([]string{"windows", "nanoserver", "servercore"}, contains) ||
		contains("powershell") && !slices.ContainsFunc(distributions, contains)
}

// distributions are words of tags that images for Linux have.
var distributions = []string{
	"alpine", "azurelinux", "centos", "debian", "fedora", "mariner", "opensuse", "ubi", "ubuntu",
}

// Known is Of, but nil where the reference is to a version of which the last five fields need not be true.
func Known(ref string) *Image {
	if _, tag := split(ref); strings.Contains(tag, "onbuild") || Windows(tag) {
		return nil
	}
	return Of(ref)
}

// Sets reports whether an image sets a variable, and whether that is known.
func Sets(ref, variable string) (sets, known bool) {
	image := Known(ref)
	if image == nil {
		return false, false
	}
	return slices.Contains(strings.Fields(image.Sets), variable), image.Plain || image.Sets != ""
}

// Shell returns what /bin/sh is in an image: ash, bash or dash, "" if that is not known.
func Shell(ref string) string {
	name, tag := split(strings.ToLower(ref))
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(tag, word) })
	}
	image := Known(strings.ToLower(ref))
	switch {
	case has("alpine"):
		return "ash"
	case has("bookworm", "bullseye", "buster", "stretch", "trixie", "jammy", "noble", "focal", "bionic"):
		return "dash"
	case image != nil && image.Shell != "":
		return image.Shell
	case slices.Contains(strings.Fields(
		"almalinux amazonlinux archlinux centos fedora oraclelinux rockylinux ubi ubi-minimal ubi8 ubi9 ubi10 leap "+
			"tumbleweed"), path.Base(name)):
		return "bash" // the same systems, from whichever registry
	}
	return ""
}

// Official reports whether a name is that of an official image of Docker Hub, in wide use, so that it can be named by
// one word.
func Official(name string) bool { return official[name] }

var official = func() map[string]bool {
	names := map[string]bool{}
	for name := range strings.FieldsSeq(`
adminer almalinux alpine alt amazoncorretto amazonlinux api-firewall arangodb archlinux bash bonita
buildpack-deps bun busybox caddy cassandra centos chronograf cirros clearlinux clefos clickhouse clojure
composer consul convertigo couchbase couchdb crate crystal dart debian deno docker dotnet drupal
eclipse-mosquitto eclipse-temurin elasticsearch elixir emqx erlang fedora flink fluentd friendica gazebo gcc
geonetwork ghost golang gradle groovy haproxy haskell haxe hello-world hitch httpd hylang ibmjava influxdb irssi
java jenkins jetty jobber joomla jruby julia kapacitor kibana kong krakend lightstreamer liquibase logstash
mageia mariadb matomo maven mediawiki memcached mongo mongo-express monica mono mysql nats nats-streaming neo4j
neurodebian nextcloud nginx node notary odoo open-liberty openjdk opensuse oraclelinux orientdb percona perl
photon php php-zendserver phpmyadmin plone postfixadmin postgres pypy python r-base rabbitmq rakudo-star redis
redmine registry rethinkdb rocket.chat rockylinux ros ruby rust sapmachine satosa scratch silverpeas sl solr
sonarqube spark spiped storm swift swipl teamspeak telegraf thrift tomcat tomee traefik ubuntu unit varnish
vault websphere-liberty wordpress xwiki yourls znc zookeeper
`) {
		names[name] = true
	}
	return names
}()

// managers are package managers with the shell, as Shell names it, of the systems that have them.
var managers = map[string]string{
	"apk": "ash", "apt-get": "dash", "apt": "dash", "yum": "bash", "dnf": "bash", "microdnf": "bash",
}

// shadowPrograms are those of the package shadow, which BusyBox does not have.
var shadowPrograms = strings.Fields("useradd groupadd usermod groupmod userdel")

// ForWindows reports whether a program is one of Windows or a command of PowerShell, and which of Linux does the same.
func ForWindows(program string) (instead string, ok bool) {
	instead, ok = windowsPrograms[program]
	return instead, ok || powerShell.MatchString(program)
}

var powerShell = regexp.MustCompile(`^(?:Add|Copy|Expand|ForEach|Get|Import|Install|Invoke|Move|New|Out|Remove|` +
	`Select|Set|Start|Stop|Test|Write)-[A-Z][A-Za-z]+$`)

// windowsPrograms are programs of Windows, with those of Linux that do the same, if there is one.
var windowsPrograms = map[string]string{
	"copy": "cp", "del": "rm", "move": "mv", "md": "mkdir", "xcopy": "cp -r", "robocopy": "", "cls": "", "choco": "",
	"winget": "", "msiexec": "", "icacls": "", "powershell": "", "powershell.exe": "", "cmd.exe": "",
}

// Lacks reports whether an image surely does not have a program, of those that people expect in every image: package
// managers of other systems, sudo, programs of Windows, and where it is known, bash, curl, wget and git, and useradd
// and its like.
func Lacks(ref, program string) bool {
	_, windows := ForWindows(program)
	shadow := slices.Contains(shadowPrograms, program)
	if managers[program] == "" && !windows && !shadow &&
		!slices.Contains([]string{"sudo", "bash", "curl", "git", "wget"}, program) {
		return false
	}
	name, tag := split(strings.ToLower(ref))
	system := Shell(ref)
	switch {
	case strings.Contains(ref, "/windows/"):
		return managers[program] != "" || program == "sudo" || shadow
	case Windows(ref) || name == "busybox":
		return false
	case windows:
		return system != ""
	case managers[program] != "":
		return system != "" && system != managers[program] && name != "archlinux"
	}
	return officialLacks(name, tag, system, program)
}

// officialLacks reports whether an official image of a system surely does not have a program.
func officialLacks(name, tag, system, program string) bool {
	small := strings.Contains(tag, "slim") || strings.Contains(tag, "alpine")
	one := func(names string) bool { return slices.Contains(strings.Fields(names), name) }
	switch program {
	case "sudo":
		return system != "" && one("alpine debian ubuntu node python golang ruby rust php nginx httpd")
	case "curl":
		return one("alpine debian ubuntu") || small && one("node python") || system == "ash" && one("golang")
	case "git":
		return one("alpine debian ubuntu nginx") || small && one("node python") || system == "ash" && one("golang")
	case "wget":
		return system == "dash" && (one("debian ubuntu") || small && one("node python"))
	}
	return system == "ash" && one("alpine node python golang rust php") // bash, useradd and its like
}
