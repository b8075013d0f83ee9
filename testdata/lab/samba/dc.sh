#!/usr/bin/env bash
# dc.sh: a Samba domain controller of a domain of its own, LAB.TEST, that serves NSPI. It needs root for its ports,
# install.sh before, and neither systemd nor namespaces. /etc/samba and /var/lib/samba are left alone.
#
#   dc.sh           builds the NSPI server and client, makes a fresh domain (provisioned once, which takes about 5 s;
#                   later copied from what was kept of that) and runs it in the foreground on $DC_ADDRESS, until it is
#                   interrupted or killed. A second one on that address waits for the first to end.
#   dc.sh prepare   all of it but running
#
# Its folder, $DC_FOLDER, has for tests:
#
#   nspi/limit, nspi/status       of the NSPI server, see samba-nspi/server.c
#   machine.keytab                the machine account DC1$ with its SPNs, every key type: what a proxy holds
#   users.keytab                  all users; its arcfour-hmac keys are their NT hashes
#   ALICE.keytab                  one file per user as well, named after the account
#   sids.json                     {"alice": "S-1-5-21-..."}
#   smb.conf, krb5.conf, krb5-{aes256,aes128,rc4}.conf   for Samba's clients
#   tls/ca.pem                    whom to trust for LDAPS
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

main() {
  mkdir -p "$LAB"
  exec 9>"$DC_FOLDER.lock" # held until the last process that inherits it has ended
  flock 9
  case ${1:-run} in
    prepare) prepare ;;
    run) prepare; run ;;
    *) sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
  esac
}

prepare() {
  flock "$LAB/lock" "$LAB_SOURCE/samba-nspi/build.sh" "$LAB/bin" # what all addresses share
  # what a provisioned domain depends on: a change of any makes another one
  local key kept
  key=$(cat "$LAB_SOURCE"/samba/{env.sh,dc.sh,accounts.py} <(samba --version) <(echo "$DC_FOLDER $DC_ADDRESS6") | cksum | cut -d' ' -f1)
  kept=$LAB/domain-$DC_ADDRESS-$key.tar
  rm -rf "$DC_FOLDER"
  if [ -e "$kept" ]; then
    mkdir -p "$DC_FOLDER"
    tar --xattrs --xattrs-include='*' -C "$DC_FOLDER" -xf "$kept"
    return
  fi
  rm -f "$LAB/domain-$DC_ADDRESS"-*.tar
  provision
  (umask 077; tar --xattrs --xattrs-include='*' -C "$DC_FOLDER" -cSf "$kept.new" .)
  mv "$kept.new" "$kept"
}

provision() {
  mkdir -p "$DC_FOLDER"/{private,state,cache,lock,run,bind-dns,ncalrpc,winbindd,ntp_signd,nspi,tls}
  chmod 700 "$DC_FOLDER/private"
  chmod 755 "$DC_FOLDER/winbindd" # with another mode winbindd does not start, and then Samba ends
  write_samba_config
  write_kerberos_configs
  make_certificate
  samba-tool domain provision -s "$DC_CONFIG" --realm=$REALM --domain=$DOMAIN --host-name=$DC_NAME --host-ip="$DC_ADDRESS" \
    ${DC_ADDRESS6:+--host-ip6="$DC_ADDRESS6"} \
    --server-role=dc --dns-backend=SAMBA_INTERNAL --adminpass="$ADMIN_PASSWORD" --quiet >"$DC_FOLDER/provision.log" 2>&1 ||
    { cat "$DC_FOLDER/provision.log" >&2; exit 1; }
  $PYTHON "$LAB_SOURCE/samba/accounts.py" "$DC_FOLDER" >>"$DC_FOLDER/provision.log" 2>&1 ||
    { cat "$DC_FOLDER/provision.log" >&2; exit 1; }
}

# Samba's addresses with their masks: without, it finds no interface of a loopback address.
interfaces() {
  case $DC_ADDRESS in
    127.*) echo "$DC_ADDRESS/8" ;;
    *) echo "$DC_ADDRESS/24 ${DC_ADDRESS6:+$DC_ADDRESS6/64}" ;;
  esac
}

write_samba_config() {
  # The plus sign adds our endpoint server to Samba's own.
  cat >"$DC_CONFIG" <<C
[global]
	netbios name = ${DC_NAME^^}
	realm = $REALM
	workgroup = $DOMAIN
	server role = active directory domain controller
	interfaces = $(interfaces)
	bind interfaces only = yes
	# with winbindd, as every production DC has it: without, foreign domains in NTLM names are refused
	server services = rpc, ldap, cldap, kdc, winbindd
	dcerpc endpoint servers = +nspi
	rpc server dynamic port range = 49152-49252
	nspi:folder = $DC_FOLDER/nspi
	private dir = $DC_FOLDER/private
	state directory = $DC_FOLDER/state
	cache directory = $DC_FOLDER/cache
	lock directory = $DC_FOLDER/lock
	pid directory = $DC_FOLDER/run
	binddns dir = $DC_FOLDER/bind-dns
	ncalrpc dir = $DC_FOLDER/ncalrpc
	winbindd socket directory = $DC_FOLDER/winbindd
	ntp signd socket directory = $DC_FOLDER/ntp_signd
	# one line of JSON per authentication and authorisation: who a client is for the DC
	log level = 1 auth_audit:3 auth_json_audit:5
	tls keyfile = $DC_FOLDER/tls/key.pem
	tls certfile = $DC_FOLDER/tls/cert.pem
	tls cafile = $DC_FOLDER/tls/ca.pem
	# the suites use level connect on these interfaces, which is not the default
	allow dcerpc auth level connect = yes
	allow dcerpc auth level connect:samr = yes
	allow dcerpc auth level connect:lsarpc = yes
	allow dcerpc auth level connect:drsuapi = yes
	ldap server require strong auth = no
	kdc default domain supported enctypes = rc4-hmac aes256-cts-hmac-sha1-96-sk
[sysvol]
	path = $DC_FOLDER/state/sysvol
[netlogon]
	path = $DC_FOLDER/state/sysvol/lab.test/scripts
C
}

# krb5.conf and one more per type of session key. Samba's Kerberos calls RC4 arcfour-hmac-md5, and ignores names that it
# does not know. The tickets for the ticket-granting service stay AES256: only they are asked for with default_as_etypes.
write_kerberos_configs() {
  kerberos_config >"$DC_FOLDER/krb5.conf"
  kerberos_config aes256-cts-hmac-sha1-96 >"$DC_FOLDER/krb5-aes256.conf"
  kerberos_config aes128-cts-hmac-sha1-96 >"$DC_FOLDER/krb5-aes128.conf"
  kerberos_config arcfour-hmac-md5 >"$DC_FOLDER/krb5-rc4.conf"
}

kerberos_config() { # [ETYPE]
  cat <<C
[libdefaults]
	default_realm = $REALM
	dns_lookup_realm = false
	dns_lookup_kdc = false
	dns_canonicalize_hostname = false
	rdns = false
	udp_preference_limit = 1
	allow_weak_crypto = true
C
  [ -z "${1:-}" ] || cat <<C
	default_etypes = $1 aes256-cts-hmac-sha1-96
	default_tgs_etypes = $1
	default_as_etypes = aes256-cts-hmac-sha1-96
C
  cat <<C
[realms]
	$REALM = {
		kdc = $DC_ADDRESS:88
	}
[domain_realm]
	.lab.test = $REALM
	lab.test = $REALM
C
}

# Samba would make a certificate without a subject alternative name, which clients no longer take.
make_certificate() (
  cd "$DC_FOLDER/tls"
  umask 077
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=nspiproxy lab CA" \
    -keyout ca.key -out ca.pem
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$DC_HOST" -keyout key.pem -out cert.csr
  openssl x509 -req -in cert.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out cert.pem \
    -extfile <(echo "subjectAltName=DNS:$DC_HOST,IP:$DC_ADDRESS${DC_ADDRESS6:+,IP:$DC_ADDRESS6}")
) 2>>"$DC_FOLDER/provision.log"

run() {
  LD_PRELOAD=$LAB/bin/nspi.so exec samba --foreground --no-process-group --debug-stdout -s "$DC_CONFIG" -M standard
}

main "$@"
