# The image with kubevali alone in it:
#
#   docker build -t kubevali .
#   docker buildx build --platform linux/amd64,linux/arm64 .
#
# .git is part of the context because `kubevali version` tells the tag or commit from it.

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -tags nethttpomithttp2 -trimpath -ldflags '-s -w' -o /out/kubevali ./cmd/kubevali

# The binary is static and carries the certificates of the public authorities. The user is a number, as runAsNonRoot
# cannot tell what a name stands for.
FROM scratch AS base
USER 65532:65532
# Not /kubevali: that is where pods mount the volume that kubevali copies itself to.
ENTRYPOINT ["/usr/local/bin/kubevali"]

# For .goreleaser.yml, which puts the binaries that it has built already in a folder for each platform.
FROM base AS release
ARG TARGETPLATFORM
COPY $TARGETPLATFORM/kubevali /usr/local/bin/kubevali

FROM base
COPY --from=build /out/kubevali /usr/local/bin/kubevali
