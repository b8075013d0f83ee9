#!/usr/bin/env python3
"""process_calls.py ADDRESS: calls other interfaces of the process of NSPI on a domain controller, as members and other
domain controllers do: SAMR and DRSUAPI, sealed by NTLM and by Kerberos, and NETLOGON and LSARPC with a secure channel, under
the account of the domain controller itself. It asks the endpoint mapper for each, and prints a line for each with what it
has found out, the same every time. SMB_CONF_PATH is the domain controller's, TARGET_HOSTNAME its name; USERNAME,
PASSWORD, REALM and DOMAIN are an administrator.
"""
import hashlib
import os
import sys

import samba.tests  # makes the bindings of all interfaces known
from samba import credentials, param
from samba.dcerpc import drsuapi, lsa, misc, netlogon, samr, security

address = sys.argv[1]
target = os.environ["TARGET_HOSTNAME"]
lp = param.LoadParm()
lp.load(os.environ["SMB_CONF_PATH"])


def account(kerberos):
    creds = credentials.Credentials()
    creds.guess(lp)
    creds.set_username(os.environ["USERNAME"])
    creds.set_password(os.environ["PASSWORD"])
    creds.set_domain(os.environ["DOMAIN"])
    creds.set_realm(os.environ["REALM"])
    creds.set_kerberos_state(kerberos)
    return creds


def binding(options):
    return f"ncacn_ip_tcp:{address}[{options},target_hostname={target}]"


def text(s):
    return s.string


def users(options, creds):
    """SAMR: the SIDs of all users, one call for each."""
    c = samr.samr(binding(options), lp, creds)
    server = c.Connect2(None, security.SEC_FLAG_MAXIMUM_ALLOWED)
    name = lsa.String()
    name.string = os.environ["DOMAIN"]
    domain = c.OpenDomain(server, security.SEC_FLAG_MAXIMUM_ALLOWED, c.LookupDomain(server, name))
    _, found, _ = c.EnumDomainUsers(domain, 0, 0, 1 << 20)
    all = []
    for e in found.entries:
        user = c.OpenUser(domain, security.SEC_FLAG_MAXIMUM_ALLOWED, e.idx)
        all.append(f"{text(e.name)}={text(c.QueryUserInfo(user, 21).account_name)}")
        c.Close(user)
    return ",".join(all)


def names(options, creds):
    """LSARPC: the names of some SIDs, by the call that there is over TCP."""
    c = lsa.lsarpc(binding(options), lp, creds)
    sids = lsa.SidArray()
    wanted = [security.SID_BUILTIN_ADMINISTRATORS, security.SID_NT_AUTHENTICATED_USERS, security.SID_NT_SYSTEM]
    pointers = []
    for wanted_sid in wanted:
        pointer = lsa.SidPtr()
        pointer.sid = security.dom_sid(wanted_sid)
        pointers.append(pointer)
    sids.sids, sids.num_sids = pointers, len(pointers)
    _, found, count = c.LookupSids3(sids, lsa.TransNameArray2(), lsa.LSA_LOOKUP_NAMES_ALL, 0, 0,
                                    lsa.LSA_CLIENT_REVISION_2)
    return f"{[text(n.name) for n in found.names]} {count}"


def replicate(options, creds):
    """DRSUAPI: all objects of the domain, as a domain controller fetches them."""
    c = drsuapi.drsuapi(binding(options), lp, creds)
    info = drsuapi.DsBindInfoCtr()
    info.length, info.info = 28, drsuapi.DsBindInfo28()
    for extension in ("BASE", "GETCHGREQ_V5", "GETCHGREQ_V8", "GETCHGREPLY_V6", "STRONG_ENCRYPTION", "ADDENTRYREPLY_V3",
                      "GETCHGREQ_V10", "LINKED_VALUE_REPLICATION", "GET_REPL_INFO"):
        info.info.supported_extensions |= getattr(drsuapi, "DRSUAPI_SUPPORTED_EXTENSION_" + extension)
    _, handle = c.DsBind(misc.GUID(drsuapi.DRSUAPI_DS_BIND_GUID), info)
    request = drsuapi.DsGetNCChangesRequest8()
    request.destination_dsa_guid = misc.GUID("00000000-0000-0000-0000-0000000000a1")
    request.naming_context = drsuapi.DsReplicaObjectIdentifier()
    request.naming_context.dn = ",".join("DC=" + part for part in os.environ["REALM"].lower().split("."))
    request.replica_flags = drsuapi.DRSUAPI_DRS_INIT_SYNC | drsuapi.DRSUAPI_DRS_WRIT_REP | drsuapi.DRSUAPI_DRS_NEVER_SYNCED
    request.max_object_count, request.max_ndr_size = 402, 1 << 22
    request.highwatermark = drsuapi.DsReplicaHighWaterMark()
    digest, objects, rounds = hashlib.sha256(), 0, 0
    while True:
        _, answer = c.DsGetNCChanges(handle, 8, request)
        entry, rounds = answer.first_object, rounds + 1
        while entry is not None:
            digest.update(entry.object.identifier.dn.encode())
            objects, entry = objects + 1, entry.next_object
        if not answer.more_data:
            return f"{objects} objects in {rounds} answers, {digest.hexdigest()[:16]}"
        request.highwatermark = answer.new_highwatermark


def channel(options, creds):
    """NETLOGON, with the secure channel of a computer: its own authentication (type 68)."""
    c = netlogon.netlogon(binding(options), lp, creds)
    server = "\\\\" + target.split(".")[0].upper()
    trusts = c.netr_DsrEnumerateDomainTrusts(server, 0x3F)
    site = c.netr_DsRGetSiteName(server)
    return f"{[trusts.array[i].netbios_name for i in range(trusts.count)]} {site}"


machine = credentials.Credentials()
machine.guess(lp)
machine.set_machine_account(lp)
machine.set_kerberos_state(credentials.DONT_USE_KERBEROS)

for title, call, options, creds in [
    ("samr ntlm", users, "seal,ntlm", account(credentials.DONT_USE_KERBEROS)),
    ("samr kerberos", users, "seal,krb5", account(credentials.MUST_USE_KERBEROS)),
    ("drsuapi ntlm", replicate, "seal,ntlm", account(credentials.DONT_USE_KERBEROS)),
    ("drsuapi kerberos", replicate, "seal,krb5", account(credentials.MUST_USE_KERBEROS)),
    ("netlogon sealed", channel, "schannel,seal", machine),
    ("netlogon signed", channel, "schannel,sign", machine),
    ("lsarpc sealed", names, "schannel,seal", machine),
]:
    try:
        print(f"{title}: {call(options, creds)}", flush=True)
    except Exception as e:  # what it says is part of what a test compares
        print(f"{title}: failed: {e!r}", flush=True)
