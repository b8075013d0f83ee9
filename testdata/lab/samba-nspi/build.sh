#!/usr/bin/env bash
# build.sh FOLDER: compiles nspi.so and nspi-client into FOLDER, unless they are newer than their sources.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:?usage: build.sh FOLDER}
mkdir -p "$out"

# stale PRODUCT SOURCE
stale() { [ ! -e "$1" ] || [ "$2" -nt "$1" ] || [ "$here/build.sh" -nt "$1" ]; }

# Samba's own libraries: neither the linker nor the loader looks there unasked.
private=/usr/lib/$(gcc -print-multiarch)/samba

flags=(-std=gnu11 -O2 -Wall -Wextra -Werror -Wno-unused-parameter)
if stale "$out/nspi.so" "$here/server.c"; then
  # shellcheck disable=SC2046 # several words are what pkg-config is for
  gcc "${flags[@]}" -fPIC -shared -o "$out/nspi.so.new" "$here/server.c" \
    $(pkg-config --cflags dcerpc_server samba-hostconfig talloc) \
    -ldcerpc-server-core -lsamba-hostconfig -lndr -lsamba-util -ltalloc \
    -L"$private" -Wl,-rpath,"$private" -l:libsamba-sockets-samba4.so.0
  mv "$out/nspi.so.new" "$out/nspi.so"
fi
if stale "$out/nspi-client" "$here/client.c"; then
  # shellcheck disable=SC2046
  gcc "${flags[@]}" -o "$out/nspi-client.new" "$here/client.c" \
    $(pkg-config --cflags dcerpc samba-credentials samba-hostconfig talloc tevent) \
    -ldcerpc -ldcerpc-binding -lsamba-credentials -lsamba-hostconfig -lsamba-util -lsamba-errors -lndr -ltalloc -ltevent
  mv "$out/nspi-client.new" "$out/nspi-client"
fi
