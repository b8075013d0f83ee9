# shellcheck shell=bash
# env.sh: names of the Samba lab's domain; the other scripts source it, and so may a shell for work by hand.
# Everything that they make lies below $NSPIPROXY_LAB and may be removed at any time while no domain controller runs.
export LAB_SOURCE; LAB_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export LAB=${NSPIPROXY_LAB:-/var/tmp/nspiproxy-lab} # short: unix sockets below it end at 107 bytes
# Where the domain controller is: an address of its own and, if it shall have one, an IPv6 address beside it. Every address
# has a domain and a folder of its own.
export DC_ADDRESS=${DC_ADDRESS:-127.0.40.10} DC_ADDRESS6=${DC_ADDRESS6:-}
export DC_FOLDER=$LAB/dc-$DC_ADDRESS
export DC_CONFIG=$DC_FOLDER/smb.conf

export REALM=LAB.TEST DOMAIN=LAB DC_NAME=dc1 DC_HOST=dc1.lab.test
export ADMIN_PASSWORD='Adm1n-Passw0rd!'
# Users of the domain, as internal/testkit/lab knows them: name:password.
export LAB_USERS='alice:correct horse,bob:battery staple'

# For clients. krb5-ETYPE.conf asks for session keys of one type only: aes256, aes128, rc4.
export KRB5_CONFIG=${KRB5_CONFIG:-$DC_FOLDER/krb5.conf}

# Debian's: another python3 earlier in PATH has no samba.
export PYTHON=/usr/bin/python3
