package reference

// LabelKeys are the keys of labels that registries and tools know.
var LabelKeys = values(
	"org.opencontainers.image.source", "The address of the source code; GitHub connects the package with it",
	"org.opencontainers.image.title", "The image's title, for people",
	"org.opencontainers.image.description", "What is in the image, for people",
	"org.opencontainers.image.licenses", "The licence, as an SPDX expression",
	"org.opencontainers.image.version", "The version of what is packaged",
	"org.opencontainers.image.revision", "The commit of the source code",
	"org.opencontainers.image.authors", "Who to contact: people or an organization",
	"org.opencontainers.image.url", "Where to read more about the image",
	"org.opencontainers.image.documentation", "The address of its documentation",
	"org.opencontainers.image.vendor", "Who distributes the image",
	"org.opencontainers.image.created", "When it was built, as in RFC 3339",
	"org.opencontainers.image.ref.name", "The name of the reference",
	"org.opencontainers.image.base.name", "The reference of the base image",
	"org.opencontainers.image.base.digest", "The digest of the base image",
	"maintainer", "Who maintains it; org.opencontainers.image.authors is the standard's",
)

// Licences are expressions that org.opencontainers.image.licenses usually has.
var Licences = values(
	"MIT", "", "Apache-2.0", "", "GPL-3.0-only", "", "AGPL-3.0-only", "", "BSD-3-Clause", "", "MPL-2.0", "",
)

// Secrets are the ids that secrets of builds usually have.
var Secrets = values(
	"npmrc", "npm's configuration, with its token",
	"github_token", "A token of GitHub's",
	"aws", "AWS's credentials file",
	"netrc", "Names and passwords for curl, git and others",
	"pip_conf", "pip's configuration, with its index",
	"maven_settings", "Maven's settings.xml",
	"ssh_key", "A private key",
)
