package daemon

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// Endpoint is a builder that somebody has configured.
type Endpoint struct {
	// Address is where it listens: unix:///run/buildkit/buildkitd.sock, tcp://host:1234,
	// npipe:////./pipe/docker_engine or ssh://user@host; of a builder in a container where its Docker engine does.
	Address   string
	Engine    bool   // it is a Docker engine, which has BuildKit behind /grpc
	Container string // the container, on that engine, in which BuildKit runs; "" if it runs in none
	TLS       TLS
	From      string // who names it, for people, as in "BUILDKIT_HOST"
	Name      string // by which buildx knows the builder; "" where buildx has no part in it
	Node      string // of that builder
	// Other is the Docker engine's own builder where buildx's current builder is another one: docker build uses the
	// former, docker buildx build the latter. nil if there is only one.
	Other *Endpoint
}

// TLS says how a connection is encrypted.
type TLS struct {
	On                            bool
	CACert, Cert, Key, ServerName string // files
	SkipVerify                    bool   // whoever answers is trusted
}

// Off is the setting by which no daemon is asked.
const Off = "off"

// Places are what Find looks at: the user's environment and files, so that tests have their own. Nothing of a project's
// folder is among them.
type Places struct {
	Getenv func(string) string
	Home   string
	Engine string // where the Docker engine listens that nobody names; "" is the system's place
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

// defaultEngine is the address of the Docker engine that nobody names (moby/client.DefaultDockerHost).
func (p Places) defaultEngine() string {
	switch {
	case p.Engine != "":
		return p.Engine
	case runtime.GOOS == "windows":
		return "npipe:////./pipe/docker_engine"
	}
	return "unix:///var/run/docker.sock"
}

// Find returns the builder that is configured, nil if there is none: the one that setting names, that of
// BUILDKIT_HOST, or the one that buildx or docker build would use. The error says why a builder that is configured
// cannot be asked. Nothing is dialled.
//
// A setting may come from a project's folder, so it can name sockets and addresses only, and no program is ever run
// for it.
func Find(setting string, p Places) (*Endpoint, error) {
	switch {
	case setting == Off:
		return nil, nil
	case setting != "":
		return parse(setting, "the setting")
	}
	if host := p.Getenv("BUILDKIT_HOST"); host != "" {
		if name, ok := strings.CutPrefix(host, "docker-container://"); ok {
			return p.inContainer(strings.TrimSuffix(name, "/"), p.engine(), "BUILDKIT_HOST")
		}
		return parse(host, "BUILDKIT_HOST")
	}
	return builder(p)
}

func parse(address, from string) (*Endpoint, error) {
	if filepath.IsAbs(address) {
		address = "unix://" + filepath.ToSlash(address)
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "unix" && u.Scheme != "tcp" && u.Scheme != "npipe" || u.Host+u.Path == "" {
		return nil, fmt.Errorf("the BuildKit daemon %q of %s cannot be asked: use unix:///PATH or tcp://HOST:PORT",
			address, from)
	}
	return &Endpoint{Address: address, From: from}, nil
}

// host is a Docker engine as the Docker client finds it.
type host struct {
	context string // name of the context; "default" is what the environment says
	address string
	tls     TLS
}

// defaultContext is the name of the context that is none.
const defaultContext = "default"

// engine is the Docker engine that the client uses (docker/cli/cli/command, resolveContextName).
func (p Places) engine() host {
	if p.Getenv("DOCKER_HOST") != "" {
		return p.context(defaultContext)
	}
	name := p.Getenv("DOCKER_CONTEXT")
	if name == "" {
		var config struct {
			CurrentContext string `json:"currentContext"`
		}
		readJSON(filepath.Join(p.dockerConfig(), "config.json"), &config)
		name = config.CurrentContext
	}
	return p.context(cmp.Or(name, defaultContext))
}

// context is the engine of a context; its address is "" where there is no such context.
func (p Places) context(name string) host {
	if name == defaultContext {
		h := host{context: name, address: cmp.Or(p.Getenv("DOCKER_HOST"), p.defaultEngine())}
		if verify := p.Getenv("DOCKER_TLS_VERIFY") != ""; verify || p.Getenv("DOCKER_TLS") != "" {
			h.tls = certificates(cmp.Or(p.Getenv("DOCKER_CERT_PATH"), p.dockerConfig()))
			h.tls.On, h.tls.SkipVerify = true, !verify
		}
		return h
	}
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	contexts := filepath.Join(p.dockerConfig(), "contexts")
	readJSON(filepath.Join(contexts, "meta", id, "meta.json"), &meta)
	docker := meta.Endpoints["docker"]
	h := host{context: name, address: docker.Host, tls: certificates(filepath.Join(contexts, "tls", id, "docker"))}
	h.tls.On, h.tls.SkipVerify = h.tls != TLS{} || docker.SkipTLSVerify, docker.SkipTLSVerify
	return h
}

// certificates are those of a folder that there are, as Docker names them.
func certificates(dir string) TLS {
	there := func(name string) string {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err != nil {
			return ""
		}
		return file
	}
	return TLS{CACert: there("ca.pem"), Cert: there("cert.pem"), Key: there("key.pem")}
}

// endpoint is the engine's own builder.
func (h host) endpoint(from string) (*Endpoint, error) {
	u, err := url.Parse(h.address)
	if err != nil || u.Host+u.Path == "" {
		return nil, fmt.Errorf("%s cannot be asked: the Docker context %q has no address", from, h.context)
	}
	e := &Endpoint{Address: h.address, Engine: true, From: from, Name: h.context, Node: h.context}
	switch u.Scheme {
	case "tcp", "http", "https":
		e.TLS = h.tls
	case "unix", "npipe", "ssh":
	default:
		return nil, fmt.Errorf("the Docker engine %q of %s cannot be asked: unknown kind of address", h.address, from)
	}
	return e, nil
}

// inContainer is a builder in a container of an engine.
func (p Places) inContainer(container string, h host, from string) (*Endpoint, error) {
	e, err := h.endpoint(from)
	if err != nil {
		return nil, err
	}
	e.Engine, e.Container, e.Name, e.Node = false, container, "", ""
	return e, nil
}

// group is a builder of buildx (buildx/store.NodeGroup).
type group struct {
	Name   string
	Driver string
	Nodes  []struct {
		Name       string
		Endpoint   string
		DriverOpts map[string]string
	}
}

// builder is the builder that buildx or docker build uses.
//
// buildx's is the one that BUILDX_BUILDER names, else the current one (buildx/store/storeutil.GetCurrentInstance),
// else the engine's. docker build passes over the current one (docker/cli/cmd/docker/builder.go).
func builder(p Places) (*Endpoint, error) {
	engine := p.engine()
	if name := p.Getenv("BUILDX_BUILDER"); name != "" {
		if g, ok := p.group(name); ok {
			return p.node(g)
		}
		return p.context(name).endpoint("the buildx builder " + name)
	}
	if g, ok := p.current(engine); ok {
		e, err := p.node(g)
		if err == nil && !(e.Engine && e.Address == engine.address) {
			e.Other, _ = engine.endpoint("the Docker engine")
		}
		return e, err
	}
	if g, ok := p.group(engine.context); ok {
		return p.node(g)
	}
	if !p.inUse(engine) {
		return nil, nil
	}
	return engine.endpoint("the Docker engine")
}

// inUse reports whether somebody has an engine: names it, has built with it, or has its socket.
func (p Places) inUse(h host) bool {
	if h.context != defaultContext || p.Getenv("DOCKER_HOST") != "" {
		return true
	}
	if _, err := os.Stat(p.buildxConfig()); err == nil {
		return true
	}
	u, err := url.Parse(h.address)
	if err != nil || u.Scheme != "unix" {
		return false
	}
	info, err := os.Stat(filepath.FromSlash(u.Path))
	return err == nil && info.Mode()&os.ModeSocket != 0
}

// current is buildx's current builder, if it is not simply the engine's (buildx/store.Txn.Current).
func (p Places) current(engine host) (group, bool) {
	key := engine.context
	if key == defaultContext {
		key = engine.address
	}
	var current struct {
		Key, Name string
		Global    bool
	}
	if readJSON(filepath.Join(p.buildxConfig(), "current"), &current) && current.Name != "" {
		if g, ok := p.group(current.Name); ok && (current.Global || current.Key == key) {
			return g, true
		}
		if current.Key == key {
			return group{}, false
		}
	}
	sum := sha256.Sum256([]byte(key))
	name, err := textfile.Read(filepath.Join(p.buildxConfig(), "defaults", hex.EncodeToString(sum[:])[:20]))
	if err != nil {
		return group{}, false
	}
	return p.group(string(name))
}

func (p Places) group(name string) (g group, ok bool) {
	ok = filepath.IsLocal(name) && !strings.ContainsAny(name, `/\`) &&
		readJSON(filepath.Join(p.buildxConfig(), "instances", strings.ToLower(name)), &g) && len(g.Nodes) > 0
	return g, ok
}

// node is a builder's first node, which is the one that builds where nothing is said of platforms.
func (p Places) node(g group) (*Endpoint, error) {
	from := "the buildx builder " + g.Name
	node := g.Nodes[0]
	e, err := p.driver(g.Driver, node.Name, node.Endpoint, from)
	if err != nil {
		return nil, err
	}
	if g.Driver == "remote" {
		o := node.DriverOpts
		e.TLS = TLS{CACert: o["cacert"], Cert: o["cert"], Key: o["key"], ServerName: o["servername"]}
		e.TLS.On = e.TLS != TLS{}
	}
	e.Name, e.Node = g.Name, node.Name
	return e, nil
}

func (p Places) driver(driver, node, address, from string) (*Endpoint, error) {
	switch driver {
	case "remote":
		if container, ok := strings.CutPrefix(address, "docker-container://"); ok {
			return p.inContainer(container, p.engine(), from)
		}
		return parse(address, from)
	case "docker", "":
		return p.named(address).endpoint(from)
	case "docker-container":
		return p.inContainer(containerPrefix+node, p.named(address), from)
	}
	return nil, fmt.Errorf("%s cannot be asked: its driver %q is not supported", from, driver)
}

// containerPrefix is how the names of buildx's containers begin (buildx/driver.BuilderName).
const containerPrefix = "buildx_buildkit_"

// named is the engine of a node's endpoint: that of a context, or an address.
func (p Places) named(endpoint string) host {
	if h := p.context(endpoint); h.address != "" {
		return h
	}
	return host{context: endpoint, address: endpoint}
}

func readJSON(file string, v any) bool {
	data, err := textfile.Read(file)
	return err == nil && json.Unmarshal(data, v) == nil
}

// place is where the files of a build came from, as the tool that made it tells.
type place struct{ context, dockerfile string }

// buildxPlace is what buildx notes of a build (buildx/localstate): absolute paths. Of a Dockerfile that was not named
// it notes nothing.
func buildxPlace(p Places, ref string) (place, bool) {
	for _, file := range buildxRefs(p, ref) {
		if at, ok := notedPlace(file); ok {
			return at, true
		}
	}
	return place{}, false
}

func notedPlace(file string) (place, bool) {
	var state struct{ LocalPath, DockerfilePath string }
	if !readJSON(file, &state) || state.LocalPath == "" {
		return place{}, false
	}
	if state.DockerfilePath == "" {
		state.DockerfilePath = filepath.Join(state.LocalPath, "Dockerfile")
	}
	return place{state.LocalPath, state.DockerfilePath}, true
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

// Noted is what buildx notes of the last build of a Dockerfile, whether or not its builder can be asked.
type Noted struct {
	ContextDir string // the build context, an absolute path
	Builder    string // buildx's name of the builder
	When       time.Time
}

// LastNoted is what buildx noted of the last build of a Dockerfile, given by its absolute path, whose context is a
// folder. Of all that was noted it looks at the newest thousand.
func LastNoted(p Places, dockerfile string) (Noted, bool) {
	files, _ := filepath.Glob(filepath.Join(p.buildxConfig(), "refs", "*", "*", "*"))
	type note struct {
		file string
		when time.Time
	}
	var notes []note
	for _, file := range files {
		if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
			notes = append(notes, note{file, info.ModTime()})
		}
	}
	slices.SortFunc(notes, func(a, b note) int { return b.when.Compare(a.when) })
	for _, n := range notes[:min(len(notes), maxNotes)] {
		at, ok := notedPlace(n.file)
		sameName := filepath.Base(at.dockerfile) == filepath.Base(dockerfile)
		if ok && filepath.IsAbs(at.context) && sameName && samePath(at.dockerfile, dockerfile) {
			return Noted{at.context, filepath.Base(filepath.Dir(filepath.Dir(n.file))), n.when}, true
		}
	}
	return Noted{}, false
}

const maxNotes = 1000
