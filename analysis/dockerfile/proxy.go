package dockerfile

import (
	"slices"
	"strings"
)

// proxyArgs are the build arguments that every RUN gets without an ARG, in any case (dockerfile2llb's
// proxyEnvFromBuildArgs).
var proxyArgs = []string{"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"}

// IsProxyArg reports whether a build argument is a proxy, which needs no ARG.
func IsProxyArg(name string) bool { return slices.Contains(proxyArgs, strings.ToUpper(name)) }
