# syntax=docker/dockerfile:1
# check=skip=SecretsUsedInArgOrEnv

# A service in Go with a front end: several stages, mounts and the usual order, from what seldom changes to what often does.

ARG GO_VERSION=1.26
ARG NODE_VERSION=24

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine AS base
WORKDIR /src
# Dependencies first: they change less often than the source.
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=secret,id=netrc,target=/root/.netrc \
    go mod download

FROM node:${NODE_VERSION:-24}-alpine AS web
WORKDIR /web
COPY --link web/package.json web/package-lock.json ./
RUN npm ci
COPY --link --exclude=node_modules web ./
RUN npm run build && \
    # Maps are for developers.
    find dist -name '*.map' -delete

FROM base AS build
ARG TARGETOS TARGETARCH
ENV CGO_ENABLED=0 \
    GOFLAGS="-trimpath -buildvcs=false"
COPY . .
COPY --from=web /web/dist ./internal/web/dist
RUN --mount=type=cache,target=/root/.cache/go-build \
    GOOS=$TARGETOS GOARCH=${TARGETARCH} go build -ldflags "-s -w" -o /out/service ./cmd/service

FROM scratch
LABEL org.opencontainers.image.title="service" \
      org.opencontainers.image.description="A service that \"serves\""
COPY --from=build --chown=65532:65532 /out/service /service
USER 65532:65532
EXPOSE 8080/tcp 9090
HEALTHCHECK --interval=30s --timeout=3s CMD ["/service", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/service"]
CMD ["--listen", ":8080"]
