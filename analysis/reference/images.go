package reference

import "strings"

// Image is a well-known base image, with what files that begin with it usually say. Lists are words between blanks.
type Image struct {
	Name, Summary string
	Tags          string // those in use at TagsDate, the likeliest first
	Ports         string // on which it, or what is written for it, listens
	Users         string // that it has, beside root
	Dirs          string // where projects are put
	Volumes       string // where it keeps data
	Programs      string // what containers start
	Env           string // variables that are set
	Takes         string // what others copy from it
}

// TagsDate is when the tags of Images were put down.
const TagsDate = "mid 2025"

// Images are well-known base images, the likeliest first; then those of registries other than Docker Hub.
var Images = []Image{
	{Name: "alpine", Summary: "A small Linux with musl and BusyBox", Tags: "3.22 3.21 3.20 3.19 3.18 3 latest edge",
		Takes: "/etc/ssl/certs/ca-certificates.crt"},
	{Name: "debian", Summary: "Debian GNU/Linux", Env: "DEBIAN_FRONTEND=noninteractive",
		Tags: "bookworm-slim bookworm 12-slim 12 bullseye-slim bullseye stable-slim trixie-slim trixie 11-slim 11"},
	{Name: "ubuntu", Summary: "Ubuntu", Env: "DEBIAN_FRONTEND=noninteractive",
		Tags: "24.04 22.04 noble jammy latest 20.04 focal 25.04"},
	{Name: "busybox", Summary: "BusyBox alone", Tags: "1.37 1.36 stable musl glibc uclibc 1.37-musl latest",
		Takes: "/bin/busybox /bin/sh"},
	{Name: "scratch", Summary: "The empty image"},
	{Name: "golang", Summary: "The Go toolchain", Ports: "8080", Dirs: "/app /src /go/src/app /build", Programs: "go",
		Tags: "1.24-alpine 1.24 1.24-bookworm 1.23-alpine 1.23 1.23-bookworm alpine 1.22-alpine 1.22 1.22-bookworm " +
			"1.21-alpine 1.21 latest", Env: "CGO_ENABLED=0 GOOS=linux GOPROXY=https://proxy.golang.org",
		Takes: "/usr/local/go"},
	{Name: "node", Summary: "Node.js", Ports: "3000 8080", Users: "node", Dirs: "/app /usr/src/app /home/node/app",
		Programs: "node npm yarn pnpm", Env: "NODE_ENV=production NEXT_TELEMETRY_DISABLED=1 PORT=3000",
		Tags: "22-alpine 22-slim 22 20-alpine 20-slim 20 22-bookworm-slim 20-bookworm-slim 22-bookworm 20-bookworm " +
			"24-alpine 24-slim 24 18-alpine 18-slim 18 lts-alpine lts-slim lts alpine latest",
		Takes: "/usr/local/bin/node /usr/local/lib/node_modules"},
	{Name: "python", Summary: "Python", Ports: "8000 5000", Dirs: "/app /usr/src/app /code",
		Programs: "python python3 uvicorn " +
			"gunicorn flask", Env: "PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1",
		Tags: "3.12-slim 3.13-slim 3.12 3.12-alpine 3.13 3.13-alpine 3.11-slim 3.11 3.11-alpine 3.12-slim-bookworm " +
			"3.13-slim-bookworm 3.11-slim-bookworm 3.10-slim 3.10 3.9-slim 3.9 slim alpine latest"},
	{Name: "ruby", Summary: "Ruby", Ports: "3000", Dirs: "/app /rails /usr/src/app", Programs: "bundle ruby rails",
		Tags: "3.4-slim 3.4-alpine 3.4 3.3-slim 3.3-alpine 3.3 3.2-slim 3.2-alpine 3.2 slim alpine latest",
		Env:  "RAILS_ENV=production BUNDLE_WITHOUT=development"},
	{Name: "rust", Summary: "The Rust toolchain", Ports: "8080", Dirs: "/app /usr/src/app /src", Programs: "cargo",
		Tags: "1-slim 1-alpine 1 1.87-slim 1.87-alpine 1.87 1-bookworm 1-slim-bookworm slim alpine latest"},
	{Name: "php", Summary: "PHP", Ports: "9000 80", Users: "www-data", Dirs: "/var/www/html /var/www /app",
		Programs: "php-fpm apache2-foreground php",
		Tags: "8.3-fpm-alpine 8.3-fpm 8.3-apache 8.3-cli 8.4-fpm-alpine 8.4-fpm 8.4-apache 8.4-cli 8.2-fpm-alpine " +
			"8.2-fpm 8.2-apache 8.2-cli 8.3-cli-alpine 8.4-cli-alpine 8.3 8.4"},
	{Name: "perl", Summary: "Perl", Tags: "5.40 5.40-slim 5.38 5.38-slim slim"},
	{Name: "eclipse-temurin", Summary: "Java: builds of OpenJDK", Ports: "8080", Dirs: "/app /opt/app",
		Programs: "java", Tags: "21-jre 21-jdk 21-jre-alpine 21-jdk-alpine 17-jre 17-jdk 17-jre-alpine " +
			"17-jdk-alpine 21 17 11-jre 11-jdk 21-jre-jammy 17-jre-jammy 8-jre 8-jdk",
		Takes: "/opt/java/openjdk"},
	{Name: "amazoncorretto", Summary: "Java: Amazon's builds of OpenJDK", Ports: "8080", Dirs: "/app",
		Programs: "java", Tags: "21 21-alpine 17 17-alpine 21-al2023 17-al2023 11 8"},
	{Name: "maven", Summary: "Java with Maven", Ports: "8080", Dirs: "/app /build /usr/src/app", Programs: "mvn java",
		Tags: "3.9-eclipse-temurin-21 3.9-eclipse-temurin-17 3.9-eclipse-temurin-21-alpine 3-eclipse-temurin-21 " +
			"3-eclipse-temurin-17 3.9-amazoncorretto-21 3.9",
		Takes: "/usr/share/maven"},
	{Name: "gradle", Summary: "Java with Gradle", Ports: "8080", Users: "gradle", Dirs: "/app /home/gradle/project",
		Programs: "gradle java",
		Tags:     "8-jdk21 8-jdk17 8-jdk21-alpine 8-jdk17-alpine 8.14-jdk21 8.14-jdk17 jdk21 jdk17"},
	{Name: "openjdk", Summary: "Java (deprecated; see eclipse-temurin)", Ports: "8080", Dirs: "/app",
		Programs: "java", Tags: "17-jdk-slim 17-slim 11-jre-slim 11-slim 8-jre-alpine 8-jdk-alpine 21-slim"},
	{Name: "gcc", Summary: "GNU compilers", Tags: "14 15 13 14-bookworm 13-bookworm latest"},
	{Name: "buildpack-deps", Summary: "Debian with what compiling often needs",
		Tags: "bookworm bookworm-curl bookworm-scm bullseye noble jammy stable"},
	{Name: "elixir", Summary: "Elixir", Ports: "4000", Dirs: "/app", Programs: "mix", Env: "MIX_ENV=prod",
		Tags: "1.18-alpine 1.18-slim 1.18 1.17-alpine 1.17-slim 1.17"},
	{Name: "erlang", Summary: "Erlang", Tags: "27-alpine 27-slim 27 26-alpine 26-slim 26"},
	{Name: "swift", Summary: "Swift", Ports: "8080", Dirs: "/build /app", Tags: "6.1 6.1-slim 6.0 5.10 6.1-jammy"},
	{Name: "dart", Summary: "Dart", Ports: "8080", Dirs: "/app", Tags: "stable 3.8 3.7 beta latest"},
	{Name: "haskell", Summary: "Haskell", Tags: "9.10 9.8 9.6 9-slim 9.10-slim"},
	{Name: "nginx", Summary: "The web server nginx", Ports: "80 443 8080", Users: "nginx",
		Dirs: "/usr/share/nginx/html /etc/nginx", Volumes: "/var/cache/nginx /etc/nginx/conf.d", Programs: "nginx",
		Tags:  "alpine 1.27-alpine stable-alpine 1.28-alpine 1.27 stable mainline-alpine alpine-slim latest",
		Takes: "/etc/nginx/nginx.conf /usr/share/nginx/html"},
	{Name: "httpd", Summary: "The Apache web server", Ports: "80 443", Users: "www-data",
		Dirs: "/usr/local/apache2/htdocs", Programs: "httpd-foreground", Tags: "2.4-alpine 2.4 alpine latest"},
	{Name: "caddy", Summary: "The web server Caddy", Ports: "80 443", Dirs: "/srv", Volumes: "/data /config",
		Programs: "caddy", Tags: "2-alpine 2 2.10-alpine 2.10 2-builder alpine builder",
		Takes: "/usr/bin/caddy"},
	{Name: "traefik", Summary: "The proxy Traefik", Ports: "80 443 8080", Programs: "traefik",
		Tags:  "v3 v3.4 v2.11 latest",
		Takes: "/usr/local/bin/traefik"},
	{Name: "haproxy", Summary: "The proxy HAProxy", Ports: "80 443", Users: "haproxy", Programs: "haproxy",
		Tags: "3.2-alpine 3.2 3.1-alpine 3.1 3.0-alpine 3.0 lts-alpine lts"},
	{Name: "postgres", Summary: "PostgreSQL", Ports: "5432", Users: "postgres", Volumes: "/var/lib/postgresql/data",
		Programs: "postgres", Tags: "17-alpine 17 16-alpine 16 15-alpine 15 14-alpine 14 17-bookworm alpine latest",
		Env: "POSTGRES_DB=app POSTGRES_USER=app PGDATA=/var/lib/postgresql/data"},
	{Name: "mysql", Summary: "MySQL", Ports: "3306", Users: "mysql", Volumes: "/var/lib/mysql", Programs: "mysqld",
		Tags: "8.4 8.0 9.3 8 lts latest"},
	{Name: "mariadb", Summary: "MariaDB", Ports: "3306", Users: "mysql", Volumes: "/var/lib/mysql",
		Programs: "mariadbd", Tags: "11.4 11.8 10.11 11 lts latest"},
	{Name: "mongo", Summary: "MongoDB", Ports: "27017", Users: "mongodb", Volumes: "/data/db", Programs: "mongod",
		Tags: "8.0 7.0 6.0 8 7 latest"},
	{Name: "redis", Summary: "Redis", Ports: "6379", Users: "redis", Volumes: "/data", Programs: "redis-server",
		Tags: "7-alpine 8-alpine 7.4-alpine 7 8 7.2-alpine alpine latest"},
	{Name: "memcached", Summary: "Memcached", Ports: "11211", Programs: "memcached", Tags: "1.6-alpine 1.6 alpine"},
	{Name: "rabbitmq", Summary: "RabbitMQ", Ports: "5672 15672", Volumes: "/var/lib/rabbitmq",
		Programs: "rabbitmq-server",
		Tags:     "4-management-alpine 4-management 4-alpine 4 3-management-alpine 3-management 3"},
	{Name: "elasticsearch", Summary: "Elasticsearch", Ports: "9200 9300", Tags: "8.18.0 9.0.0 7.17.28",
		Volumes: "/usr/share/elasticsearch/data"},
	{Name: "fedora", Summary: "Fedora Linux", Tags: "42 41 40 latest"},
	{Name: "rockylinux", Summary: "Rocky Linux", Tags: "9 9-minimal 8 8-minimal"},
	{Name: "almalinux", Summary: "AlmaLinux", Tags: "9 9-minimal 10 8 8-minimal"},
	{Name: "amazonlinux", Summary: "Amazon Linux", Tags: "2023 2 latest"},
	{Name: "archlinux", Summary: "Arch Linux", Tags: "latest base base-devel"},
	{Name: "docker", Summary: "The Docker command line and engine",
		Tags:  "28-cli 28-dind cli dind 28 27-cli 27-dind 27",
		Takes: "/usr/local/bin/docker"},
	{Name: "registry", Summary: "A registry for images", Ports: "5000", Volumes: "/var/lib/registry", Tags: "2 3 2.8"},
	{Name: "composer", Summary: "PHP's Composer", Dirs: "/app", Programs: "composer", Tags: "2 2.8 lts latest",
		Takes: "/usr/bin/composer"},
	{Name: "wordpress", Summary: "WordPress", Ports: "80", Users: "www-data", Volumes: "/var/www/html",
		Tags: "6-php8.3-apache 6-php8.3-fpm-alpine 6-apache 6-fpm-alpine 6 latest"},
	{Name: "tomcat", Summary: "Apache Tomcat", Ports: "8080", Dirs: "/usr/local/tomcat/webapps",
		Programs: "catalina.sh", Tags: "10.1-jre21 10.1-jre17 11.0-jre21 9.0-jre17 10 9"},
	{Name: "centos", Summary: "CentOS (no longer maintained)", Tags: "7 8"},
	{Name: "oven/bun", Summary: "The JavaScript runtime Bun", Ports: "3000", Users: "bun",
		Dirs: "/app /usr/src/app", Programs: "bun",
		Tags:  "1-alpine 1-slim 1 1.2-alpine 1.2-slim 1.2 alpine slim latest",
		Takes: "/usr/local/bin/bun"},
	{Name: "denoland/deno", Summary: "The JavaScript runtime Deno", Ports: "8000", Users: "deno", Dirs: "/app",
		Programs: "deno", Tags: "alpine 2.3.3 alpine-2.3.3 debian distroless bin latest"},
	{Name: "nginxinc/nginx-unprivileged", Summary: "nginx as a user other than root", Ports: "8080", Users: "nginx",
		Dirs: "/usr/share/nginx/html", Programs: "nginx", Tags: "alpine stable-alpine 1.27-alpine 1.28-alpine latest"},
	{Name: "tonistiigi/xx", Summary: "Helpers for cross-compiling", Tags: "1.6.1 1.5.0 1.4.0 latest",
		Takes: "/"},
	{Name: "gcr.io/distroless/static-debian12", Summary: "Nothing but certificates and users: for static binaries",
		Users: "nonroot nonroot:nonroot", Tags: "nonroot latest debug debug-nonroot"},
	{Name: "gcr.io/distroless/base-debian12", Summary: "With glibc and OpenSSL, without a shell",
		Users: "nonroot nonroot:nonroot", Tags: "nonroot latest debug debug-nonroot"},
	{Name: "gcr.io/distroless/cc-debian12", Summary: "With libgcc too",
		Users: "nonroot nonroot:nonroot", Tags: "nonroot latest debug debug-nonroot"},
	{Name: "gcr.io/distroless/nodejs22-debian12", Summary: "Node.js without a shell", Ports: "3000",
		Users: "nonroot nonroot:nonroot", Dirs: "/app", Tags: "nonroot latest debug"},
	{Name: "gcr.io/distroless/python3-debian12", Summary: "Python without a shell", Ports: "8000",
		Users: "nonroot nonroot:nonroot", Dirs: "/app", Tags: "nonroot latest debug"},
	{Name: "gcr.io/distroless/java21-debian12", Summary: "Java without a shell", Ports: "8080",
		Users: "nonroot nonroot:nonroot", Dirs: "/app", Tags: "nonroot latest debug"},
	{Name: "gcr.io/google.com/cloudsdktool/google-cloud-cli", Summary: "Google Cloud's command line",
		Tags: "slim alpine stable"},
	{Name: "mcr.microsoft.com/dotnet/sdk", Summary: "The .NET SDK", Dirs: "/src /source /app", Programs: "dotnet",
		Tags: "9.0 8.0 9.0-alpine 8.0-alpine 8.0-jammy 8.0-bookworm-slim 9.0-noble 10.0-preview"},
	{Name: "mcr.microsoft.com/dotnet/aspnet", Summary: "The ASP.NET Core runtime", Ports: "8080 8081 80 443",
		Users: "app $APP_UID", Dirs: "/app", Programs: "dotnet", Env: "ASPNETCORE_URLS=http://+:8080",
		Tags: "9.0 8.0 9.0-alpine 8.0-alpine 8.0-jammy-chiseled 9.0-noble-chiseled 8.0-jammy 8.0-bookworm-slim"},
	{Name: "mcr.microsoft.com/dotnet/runtime", Summary: "The .NET runtime", Users: "app $APP_UID", Dirs: "/app",
		Programs: "dotnet", Tags: "9.0 8.0 9.0-alpine 8.0-alpine 8.0-jammy-chiseled"},
	{Name: "mcr.microsoft.com/dotnet/runtime-deps", Summary: "What self-contained .NET programs need",
		Users: "app $APP_UID", Dirs: "/app",
		Tags: "9.0 8.0 9.0-alpine 8.0-alpine 8.0-jammy-chiseled 9.0-noble-chiseled"},
	{Name: "mcr.microsoft.com/playwright", Summary: "Browsers for Playwright",
		Tags: "v1.53.0-noble v1.52.0-noble v1.52.0-jammy"},
	{Name: "mcr.microsoft.com/powershell", Summary: "PowerShell", Tags: "latest lts-alpine-3.20 lts-ubuntu-22.04"},
	{Name: "mcr.microsoft.com/azure-cli", Summary: "Azure's command line", Tags: "latest cbl-mariner2.0"},
	{Name: "mcr.microsoft.com/mssql/server", Summary: "SQL Server", Ports: "1433", Users: "mssql",
		Tags: "2022-latest 2019-latest"},
	{Name: "mcr.microsoft.com/openjdk/jdk", Summary: "Java: Microsoft's builds of OpenJDK",
		Tags: "21-ubuntu 17-ubuntu 21-mariner 21-distroless"},
	{Name: "mcr.microsoft.com/devcontainers/base", Summary: "For development containers", Tags: "ubuntu debian alpine"},
	{Name: "mcr.microsoft.com/devcontainers/python", Summary: "Python for development containers", Tags: "3.12 3.13 3"},
	{Name: "mcr.microsoft.com/devcontainers/typescript-node", Summary: "Node.js for development containers",
		Tags: "22 20"},
	{Name: "mcr.microsoft.com/devcontainers/go", Summary: "Go for development containers", Tags: "1.24 1.23 1"},
	{Name: "mcr.microsoft.com/windows/servercore", Summary: "Windows Server Core", Tags: "ltsc2022 ltsc2025 ltsc2019"},
	{Name: "mcr.microsoft.com/windows/nanoserver", Summary: "Windows Nano Server", Tags: "ltsc2022 ltsc2025 ltsc2019"},
	{Name: "ghcr.io/astral-sh/uv", Summary: "Python's package manager uv", Dirs: "/app", Programs: "uv",
		Tags:  "latest python3.12-bookworm-slim python3.13-bookworm-slim python3.12-alpine 0.7 bookworm-slim alpine",
		Takes: "/uv /uvx"},
	{Name: "ghcr.io/astral-sh/ruff", Summary: "Python's linter ruff", Tags: "latest 0.11 alpine"},
	{Name: "ghcr.io/prefix-dev/pixi", Summary: "The package manager pixi", Tags: "latest noble bookworm"},
	{Name: "ghcr.io/graalvm/native-image-community", Summary: "GraalVM's native-image", Tags: "21 23 17 21-ol9"},
	{Name: "ghcr.io/graalvm/graalvm-community", Summary: "GraalVM", Tags: "21 23 17"},
	{Name: "ghcr.io/gleam-lang/gleam", Summary: "Gleam", Tags: "v1.10.0-erlang-alpine v1.10.0-node-alpine"},
	{Name: "ghcr.io/linuxserver/baseimage-alpine", Summary: "LinuxServer's base with s6", Tags: "3.21 3.20 edge"},
	{Name: "ghcr.io/linuxserver/baseimage-ubuntu", Summary: "LinuxServer's base with s6", Tags: "noble jammy"},
	{Name: "ghcr.io/puppeteer/puppeteer", Summary: "Puppeteer with Chrome", Users: "pptruser", Tags: "24 23 latest"},
	{Name: "ghcr.io/home-assistant/home-assistant", Summary: "Home Assistant", Ports: "8123",
		Tags: "stable latest beta"},
	{Name: "quay.io/keycloak/keycloak", Summary: "Keycloak", Ports: "8080 8443", Tags: "26.2 26.1 26.0 latest"},
	{Name: "quay.io/prometheus/prometheus", Summary: "Prometheus", Ports: "9090", Tags: "latest v3.4.0"},
	{Name: "quay.io/centos/centos", Summary: "CentOS Stream", Tags: "stream9 stream10"},
	{Name: "public.ecr.aws/lambda/python", Summary: "AWS Lambda for Python", Tags: "3.13 3.12 3.11"},
	{Name: "public.ecr.aws/lambda/nodejs", Summary: "AWS Lambda for Node.js", Tags: "22 20 18"},
	{Name: "public.ecr.aws/docker/library/node", Summary: "Docker Hub's node on Amazon's registry",
		Tags: "22-alpine 20-alpine 22-slim"},
	{Name: "public.ecr.aws/docker/library/python", Summary: "Docker Hub's python on Amazon's registry",
		Tags: "3.12-slim 3.13-slim"},
	{Name: "registry.access.redhat.com/ubi9/ubi-minimal", Summary: "Red Hat's Universal Base Image, small",
		Tags: "latest 9.6 9.5"},
	{Name: "registry.access.redhat.com/ubi9/ubi", Summary: "Red Hat's Universal Base Image", Tags: "latest 9.6 9.5"},
	{Name: "cgr.dev/chainguard/static", Summary: "Chainguard's image for static binaries", Users: "nonroot",
		Tags: "latest"},
	{Name: "cgr.dev/chainguard/node", Summary: "Chainguard's Node.js", Users: "node", Tags: "latest latest-dev"},
}

// ImageOf finds what is known of an image by a reference to it, whatever its tag; nil if it is none of Images.
func ImageOf(ref string) *Image {
	ref, _, _ = strings.Cut(ref, "@")
	if colon := strings.LastIndexByte(ref, ':'); colon > strings.LastIndexByte(ref, '/') {
		ref = ref[:colon]
	}
	for _, hub := range []string{"docker.io/", "index.docker.io/", "library/", "public.ecr.aws/docker/library/"} {
		ref = strings.TrimPrefix(ref, hub)
	}
	for i := range Images {
		if Images[i].Name == ref {
			return &Images[i]
		}
	}
	return nil
}

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
