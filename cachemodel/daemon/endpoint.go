package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Endpoint is a daemon that somebody has configured.
type Endpoint struct {
	Address string // unix:///run/buildkit/buildkitd.sock or tcp://host:1234
	Engine  bool   // it is a Docker engine, which has BuildKit behind /grpc
	TLS     TLS
	From    string // who names it, for people, as in "BUILDKIT_HOST"
}

// TLS are the files of buildx's remote driver; all are "" if the connection is not encrypted.
type TLS struct{ CACert, Cert, Key, ServerName string }

// Off is the setting by which no daemon is asked.
const Off = "off"

// Places are what Find looks at: the user's environment and files, so that tests have their own.
type Places struct {
	Getenv func(string) string
	Home   string
}

// UserPlaces are those of the user who runs the program.
func UserPlaces() Places {
	home, _ := os.UserHomeDir()
	return Places{Getenv: os.Getenv, Home: home}
}

// dockerConfig is the folder of the Docker client's settings.
func (p Places) dockerConfig() string {
	if dir := p.Getenv("DOCKER_CONFIG"); dir != "" {
		return dir
	}
	return filepath.Join(p.Home, ".docker")
}

// buildxConfig is the folder of buildx's (buildx/util/confutil.ConfigDir).
func (p Places) buildxConfig() string {
	if dir := p.Getenv("BUILDX_CONFIG"); dir != "" {
		return dir
	}
	return filepath.Join(p.dockerConfig(), "buildx")
}

// Find returns the daemon that is configured, nil if there is none: the one that setting names, that of BUILDKIT_HOST, or
// buildx's current builder. The error says why a daemon that is configured cannot be asked. Nothing is dialled.
func Find(setting string, p Places) (*Endpoint, error) {
	switch {
	case setting == Off:
		return nil, nil
	case setting != "":
		return parse(setting, "the setting")
	}
	if host := p.Getenv("BUILDKIT_HOST"); host != "" {
		return parse(host, "BUILDKIT_HOST")
	}
	return builder(p)
}

func parse(address, from string) (*Endpoint, error) {
	if filepath.IsAbs(address) {
		address = "unix://" + filepath.ToSlash(address)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "unix" && u.Scheme != "tcp" || u.Host+u.Path == "" {
		return nil, fmt.Errorf("the BuildKit daemon %q of %s cannot be asked: only unix:///PATH and tcp://HOST:PORT can", address, from)
	}
	return &Endpoint{Address: address, From: from}, nil
}

// builder is buildx's current builder (buildx/store/storeutil.GetCurrentInstance).
func builder(p Places) (*Endpoint, error) {
	name := p.Getenv("BUILDX_BUILDER")
	var current struct {
		Key, Name string
		Global    bool
	}
	used := readJSON(filepath.Join(p.buildxConfig(), "current"), &current)
	host := engine(p)
	if name == "" && (current.Global || current.Key == host) {
		name = current.Name
	}
	var group struct {
		Driver string
		Nodes  []struct {
			Endpoint   string
			DriverOpts map[string]string
		}
	}
	if name != "" && filepath.IsLocal(name) && readJSON(filepath.Join(p.buildxConfig(), "instances", name), &group) && len(group.Nodes) > 0 {
		from := "the buildx builder " + name
		node := group.Nodes[0]
		if group.Driver != "remote" {
			return nil, fmt.Errorf("%s cannot be asked: a builder of the driver %q is reached only by running a program in it", from, group.Driver)
		}
		e, err := parse(node.Endpoint, from)
		if err == nil {
			o := node.DriverOpts
			e.TLS = TLS{o["cacert"], o["cert"], o["key"], o["servername"]}
		}
		return e, err
	}
	if !used {
		return nil, nil // buildx is not in use
	}
	e, err := parse(host, "buildx's default builder")
	if err == nil {
		e.Engine = true
	}
	return e, err
}

const defaultEngine = "unix:///var/run/docker.sock"

// engine is the address of the Docker engine: DOCKER_HOST, or that of the current context (docker/cli, context/store).
func engine(p Places) string {
	if host := p.Getenv("DOCKER_HOST"); host != "" {
		return host
	}
	name := p.Getenv("DOCKER_CONTEXT")
	if name == "" {
		var config struct {
			CurrentContext string `json:"currentContext"`
		}
		readJSON(filepath.Join(p.dockerConfig(), "config.json"), &config)
		name = config.CurrentContext
	}
	if name == "" || name == "default" {
		return defaultEngine
	}
	var meta struct {
		Endpoints map[string]struct{ Host string }
	}
	id := sha256.Sum256([]byte(name))
	readJSON(filepath.Join(p.dockerConfig(), "contexts", "meta", hex.EncodeToString(id[:]), "meta.json"), &meta)
	return meta.Endpoints["docker"].Host
}

func readJSON(file string, v any) bool {
	data, err := os.ReadFile(file)
	return err == nil && json.Unmarshal(data, v) == nil
}

// place is where the files of a build came from, as the tool that made it tells.
type place struct{ context, dockerfile string }

// buildxPlace is what buildx notes of a build (buildx/localstate): absolute paths. Of a Dockerfile that was not named it
// notes nothing.
func buildxPlace(p Places, ref string) (place, bool) {
	for _, file := range buildxRefs(p, ref) {
		var state struct{ LocalPath, DockerfilePath string }
		if readJSON(file, &state) && state.LocalPath != "" {
			if state.DockerfilePath == "" {
				state.DockerfilePath = filepath.Join(state.LocalPath, "Dockerfile")
			}
			return place{state.LocalPath, state.DockerfilePath}, true
		}
	}
	return place{}, false
}

// buildxNoted is when buildx did so: before it began.
func buildxNoted(p Places, ref string) (time.Time, bool) {
	for _, file := range buildxRefs(p, ref) {
		if info, err := os.Stat(file); err == nil {
			return info.ModTime(), true
		}
	}
	return time.Time{}, false
}

func buildxRefs(p Places, ref string) []string {
	if ref == "" || strings.ContainsAny(ref, `*?[\/`) {
		return nil
	}
	files, _ := filepath.Glob(filepath.Join(p.buildxConfig(), "refs", "*", "*", ref))
	return files
}
