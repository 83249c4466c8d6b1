# Heredocs of every kind, and an image meant to be a base.
FROM debian:stable-slim
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ENV APP_HOME=/opt/app

RUN <<EOF
apt-get update
# A comment of the shell, not of the Dockerfile.
apt-get install --yes --no-install-recommends ca-certificates curl
rm -rf /var/lib/apt/lists/*
EOF

RUN <<-'PYTHON' python3
	print("FROM is no instruction in here")
	PYTHON

COPY <<nginx.conf <<"start.sh" /etc/app/
root ${APP_HOME:-/srv};
FROM scratch
nginx.conf
#!/bin/sh
exec "$@" # not expanded
start.sh

ONBUILD COPY . $APP_HOME
ONBUILD RUN <<DONE
make -C "$APP_HOME"
DONE
VOLUME ["/var/lib/app", "/var/log/app"]
MAINTAINER somebody@example.com
