#!/usr/bin/python3
"""accounts.py FOLDER: gives the domain of dc.sh its users, the DC its SPNs, and writes keytabs and SIDs to FOLDER.

Works on the domain's files: no domain controller needs to run. Names come from env.sh by the environment.
"""
import json
import os
import sys

import ldb
import samba.dckeytab  # noqa: F401  adds export_keytab to Net
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_unpack
from samba.net import Net
from samba.param import LoadParm
from samba.samdb import SamDB


def main(folder):
    lp = LoadParm()
    lp.load(os.environ['DC_CONFIG'])
    db = SamDB(session_info=system_session(), lp=lp)
    users = [user.split(':', 1) for user in os.environ['LAB_USERS'].split(',')]
    allow_plain_passwords(db)
    for name, password in users:
        db.newuser(name, password)
        db.setexpiry('(sAMAccountName=%s)' % name, 0, no_expiry_req=True)
    set_odd_names(db, users[0][0], users[1][0])
    machine = os.environ['DC_NAME'].upper() + '$'
    add_spns(db, machine, os.environ['DC_NAME'], os.environ['DC_HOST'])

    names = [name for name, _ in users]
    with open(os.path.join(folder, 'sids.json'), 'w') as f:
        json.dump({name: sid(db, name) for name in names + [machine, 'Administrator']}, f)
    export(lp, os.path.join(folder, 'machine.keytab'), [machine] + spns(os.environ['DC_NAME'], os.environ['DC_HOST']))
    export(lp, os.path.join(folder, 'users.keytab'), names)
    for name in names:
        export(lp, os.path.join(folder, name + '.keytab'), [name])


def allow_plain_passwords(db):
    """The users' passwords are those of the simulated domain controller, which asks for no digits."""
    complexity = 1
    db.set_pwdProperties(str(int(db.get_pwdProperties()) & ~complexity))


def set_odd_names(db, first, second):
    """What the schema allows: a home directory of 600 characters, and a principal name of another domain."""
    change = ldb.Message(find(db, first, 'homeDirectory').dn)
    change['home'] = ldb.MessageElement('\\\\server\\' + 600 * 'h', ldb.FLAG_MOD_REPLACE, 'homeDirectory')
    db.modify(change)
    change = ldb.Message(find(db, second, 'userPrincipalName').dn)
    change['upn'] = ldb.MessageElement(second + '.mail@corp.example', ldb.FLAG_MOD_REPLACE, 'userPrincipalName')
    db.modify(change)


def spns(name, host):
    """What NSPI clients ask tickets for; a DC of Windows has them when Exchange prepared the forest."""
    return ['exchangeAB/' + name, 'exchangeAB/' + host, 'ldap/' + host, 'host/' + host]


def add_spns(db, machine, name, host):
    account = find(db, machine, 'servicePrincipalName')
    have = {str(spn).lower() for spn in account.get('servicePrincipalName', [])}
    new = [spn for spn in spns(name, host) if spn.lower() not in have]
    change = ldb.Message(account.dn)
    change['spn'] = ldb.MessageElement(new, ldb.FLAG_MOD_ADD, 'servicePrincipalName')
    db.modify(change)


def find(db, account, attribute):
    return db.search(db.domain_dn(), ldb.SCOPE_SUBTREE, '(sAMAccountName=%s)' % account, [attribute])[0]


def sid(db, account):
    return str(ndr_unpack(security.dom_sid, find(db, account, 'objectSid')['objectSid'][0]))


def export(lp, path, principals):
    net = Net(None, lp)
    for principal in principals:
        net.export_keytab(keytab=path, principal=principal)
    os.chmod(path, 0o600)


if __name__ == '__main__':
    main(sys.argv[1])
