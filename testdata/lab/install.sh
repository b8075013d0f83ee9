#!/usr/bin/env bash
# install.sh: the Debian 12 packages that the lab tests and the comparison use. Root. Nothing happens when they are
# there already, and nothing listens afterwards: the packages' own daemons are kept from starting.
set -euo pipefail

packages=(
  python3-impacket                     # a real NSPI client
  tshark                               # dissects what the proxy says
  haproxy nginx-light libnginx-mod-stream # what the proxy is compared with, and stands behind
  keepalived                           # moves addresses between two routers
  iproute2 procps                      # machines and their cables; ss, to look at sockets
  util-linux                           # nsenter, unshare, setpriv: programs on machines, as an ordinary user
  nftables                             # packet filters that lead clients to the proxy
  systemd                              # systemd-analyze, for the unit; it is not started
  samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind # a real domain controller
  python3-samba samba-testsuite        # its suites: raw_protocol, smbtorture
  samba-dev gcc libc6-dev pkg-config   # for samba-nspi/, which links with it
  openssl                              # the domain controller's certificate
)

missing=()
for p in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${Status}' "$p" 2>/dev/null || true)" = 'install ok installed' ] || missing+=("$p")
done
if [ ${#missing[@]} = 0 ]; then
  echo "lab: all ${#packages[@]} packages are installed"
  exit 0
fi
if [ "$(id -u)" != 0 ]; then
  echo "lab: not root, and these packages are missing: ${missing[*]}" >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive

# policy-rc.d answers every "may I start?" of a package with "forbidden" while we install; one that is there stays.
guard=/usr/sbin/policy-rc.d
if [ ! -e $guard ]; then
  printf '#!/bin/sh\nexit 101\n' >$guard
  chmod 755 $guard
  trap 'rm -f $guard' EXIT
fi
echo 'wireshark-common wireshark-common/install-setuid boolean false' | debconf-set-selections
apt-get update -q
apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends "${missing[@]}"
