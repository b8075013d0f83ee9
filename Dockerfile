# A static binary in an image without a shell, run as a user without rights.
#
#   docker build -t nspiproxy .
#   docker run --network host --cap-add NET_BIND_SERVICE -v /etc/nspiproxy:/etc/nspiproxy:ro nspiproxy
#
# The proxy listens on the endpoint mapper's port 135. A user other than root may not bind ports below 1024 unless
# one of these holds; choose one:
#   --sysctl net.ipv4.ip_unprivileged_port_start=135   with a network namespace of the container's own. Simplest.
#   --cap-add NET_BIND_SERVICE                         with --network host, if the runtime gives ambient capabilities
#                                                      to a non-root user (Kubernetes and older Docker do not).
#   --user 0 --cap-drop ALL --cap-add NET_BIND_SERVICE where neither is possible.
# A domain controller whose NSPI port is fixed (nspi_port in the configuration) needs no port 135 at all.
#
# Clients see the proxy's own address: publish it with --network host or a macvlan, not through a port mapping that
# hides theirs; limits and refusals name the address that arrives here. For thousands of clients raise the number of
# files, two per connection: --ulimit nofile=65536:65536

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /nspiproxy ./cmd/nspiproxy

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /nspiproxy /usr/local/bin/nspiproxy
COPY LICENSE /usr/share/doc/nspiproxy/LICENSE
USER nonroot:nonroot
ENTRYPOINT ["/usr/local/bin/nspiproxy"]
CMD ["serve", "--config", "/etc/nspiproxy/nspiproxy.yaml"]
