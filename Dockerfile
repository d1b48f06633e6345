# One static binary, from a clean checkout, in an image that holds nothing else.
#   docker build -t pgbridge .
#   docker run -v ./bridge.yaml:/etc/bridge/bridge.yaml:ro pgbridge
# `bridge demo` starts PostgreSQL servers of its own and needs their programs: run it outside of this image.

FROM golang:1.26-bookworm AS build
WORKDIR /src
# A go.mod that asks for a newer patch of Go than the image has fetches it, instead of failing.
ENV CGO_ENABLED=0 GOTOOLCHAIN=auto
COPY go.mod go.sum ./
RUN go mod download
# With .git, so that `bridge version` knows its commit.
COPY . .
RUN go build -trimpath -ldflags="-s -w" -o /out/bridge ./cmd/bridge
# A user without rights, a place for a passfile, and a temporary folder: scratch has none of them.
RUN mkdir -p /out/root/etc /out/root/home/bridge /out/root/tmp \
 && echo 'bridge:x:65532:65532:bridge:/home/bridge:/sbin/nologin' > /out/root/etc/passwd \
 && echo 'bridge:x:65532:' > /out/root/etc/group \
 && chmod 1777 /out/root/tmp

FROM scratch
COPY --from=build /out/root/ /
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/bridge /usr/local/bin/bridge
ENV HOME=/home/bridge PATH=/usr/local/bin
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=10s --start-period=30s --retries=3 \
  CMD ["/usr/local/bin/bridge", "status", "-c", "/etc/bridge/bridge.yaml"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/bridge"]
CMD ["run", "-c", "/etc/bridge/bridge.yaml"]
