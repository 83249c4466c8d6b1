package invocation

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/textfile"
)

// Ambient is what a build takes from the user's environment and the Docker client's settings, where its command line
// says nothing.
type Ambient struct {
	Engine   cachemodel.Engine // by DOCKER_BUILDKIT; "" if it is not set
	Platform string            // DOCKER_DEFAULT_PLATFORM
	Args     map[string]string // build arguments that are sent: SOURCE_DATE_EPOCH and the client's proxies
}

// AmbientOf reads an environment, as os.Environ gives it, and the settings of the Docker client that it names.
func AmbientOf(environ []string) Ambient {
	env := map[string]string{}
	for _, kv := range environ {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	a := Ambient{Platform: env["DOCKER_DEFAULT_PLATFORM"]}
	if on, err := strconv.ParseBool(env["DOCKER_BUILDKIT"]); err == nil {
		a.Engine = cachemodel.BuildKit
		if !on {
			a.Engine = cachemodel.Classic
		}
	}
	a.Args = sent(env, a.Engine == cachemodel.Classic)
	return a
}

// sent are the build arguments that the Docker client sends by itself.
func sent(env map[string]string, classic bool) map[string]string {
	args := proxies(env, classic)
	if epoch := env[EpochArg]; epoch != "" && !classic {
		args[EpochArg] = epoch
	}
	return args
}

// sentByItself adds the build arguments that the Docker client sends without being told.
func (c *command) sentByItself(args map[string]string, classic bool) {
	for name, value := range sent(c.env, classic) {
		if _, given := args[name]; !given {
			args[name] = value
		}
	}
}

// IsAmbient reports whether builds may be sent a build argument of this name that nobody gives.
func IsAmbient(name string) bool {
	if name == EpochArg {
		return true
	}
	for _, proxy := range clientProxies {
		if strings.EqualFold(name, proxy.arg) {
			return true
		}
	}
	return false
}

// EpochArg is the variable that buildx, nerdctl and buildctl hand on as a build argument.
const EpochArg = "SOURCE_DATE_EPOCH"

// clientProxies are the proxies of the Docker client's settings, and the arguments as which they are sent.
var clientProxies = []struct {
	arg   string
	value func(clientProxy) string
}{
	{"HTTP_PROXY", func(p clientProxy) string { return p.HTTPProxy }},
	{"HTTPS_PROXY", func(p clientProxy) string { return p.HTTPSProxy }},
	{"NO_PROXY", func(p clientProxy) string { return p.NoProxy }},
	{"FTP_PROXY", func(p clientProxy) string { return p.FTPProxy }},
	{"ALL_PROXY", func(p clientProxy) string { return p.AllProxy }},
}

type clientProxy struct{ HTTPProxy, HTTPSProxy, NoProxy, FTPProxy, AllProxy string }

// proxies are the proxies that the Docker client sends. For the classic builder it sends each under two names, and one
// more (buildx/store/storeutil.GetProxyConfig, docker/cli/cli/config/configfile.ParseProxyConfig).
func proxies(env map[string]string, classic bool) map[string]string {
	args := map[string]string{}
	dir := env["DOCKER_CONFIG"]
	if home := env["HOME"] + env["USERPROFILE"]; dir == "" && home != "" {
		if env["HOME"] != "" {
			home = env["HOME"]
		}
		dir = filepath.Join(home, ".docker")
	}
	var config struct {
		Proxies map[string]clientProxy `json:"proxies"`
	}
	data, err := textfile.Read(filepath.Join(dir, "config.json"))
	if dir == "" || err != nil || json.Unmarshal(data, &config) != nil {
		return args
	}
	host := env["DOCKER_HOST"]
	if host == "" {
		host = "unix:///var/run/docker.sock"
	}
	of, ok := config.Proxies[host]
	if !ok {
		of = config.Proxies["default"]
	}
	for _, proxy := range clientProxies {
		switch value := proxy.value(of); {
		case value == "" || !classic && proxy.arg == "ALL_PROXY":
		case classic:
			args[strings.ToLower(proxy.arg)] = value
			fallthrough
		default:
			args[proxy.arg] = value
		}
	}
	return args
}
