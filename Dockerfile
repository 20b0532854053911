# Loadline in an image that holds the program, the root certificates and nothing else. It runs as a user without rights
# and writes nothing to its own file system.
ARG GO_VERSION=1.26

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION COMMIT
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$VERSION -X main.commit=$COMMIT" -o /loadline ./cmd/loadline

FROM scratch
ARG VERSION
LABEL org.opencontainers.image.title="loadline" \
      org.opencontainers.image.description="Forecasts, sizes and safely applies Kubernetes requests" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/loadline-dev/loadline" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /loadline /loadline
ENV PATH=/
USER 65532:65532
ENTRYPOINT ["/loadline"]
