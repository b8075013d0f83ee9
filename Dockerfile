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
# Transparent listeners (mode tproxy or redirect) need the network namespace that packets pass through, CAP_NET_ADMIN
# for sockets with addresses of others and for the set of learnt ports, and a folder for the state file that belongs to
# the container's user (65532, or 0 with --user 0):
#
#   docker run --network host --cap-drop ALL --cap-add NET_ADMIN --cap-add NET_BIND_SERVICE \
#     -v /etc/nspiproxy:/etc/nspiproxy:ro -v /var/lib/nspiproxy:/var/lib/nspiproxy nspiproxy
#
# with the choice between ambient capabilities and --user 0 as above. The rules are put in force on the host, before the
# container and once a boot, because the image has neither a shell nor nft:
#
#   docker run --rm -v /etc/nspiproxy:/etc/nspiproxy:ro -v /var/lib/nspiproxy:/var/lib/nspiproxy nspiproxy \
#     rules --config /etc/nspiproxy/nspiproxy.yaml | sh
#
# They stay when the container ends: TPROXY with when_down: open lets clients pass all the same; REDIRECT refuses them
# until the rules are removed, by the commands at the beginning of what `rules` prints.
#
# In mode forward clients see the proxy's own address: publish it with --network host or a macvlan, not through a port
# mapping that hides theirs; limits and refusals name the address that arrives here. For thousands of clients raise the
# number of files, two per connection: --ulimit nofile=65536:65536

# The release of go.mod's toolchain line: older ones have known vulnerabilities (.ci/vuln looks for them).
FROM golang:1.26.10 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /nspiproxy ./cmd/nspiproxy

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /nspiproxy /usr/local/bin/nspiproxy
COPY LICENSE /usr/share/doc/nspiproxy/LICENSE
COPY deploy/third-party-licenses.txt /usr/share/doc/nspiproxy/third-party-licenses.txt
USER nonroot:nonroot
ENTRYPOINT ["/usr/local/bin/nspiproxy"]
CMD ["serve", "--config", "/etc/nspiproxy/nspiproxy.yaml"]
