#!/usr/bin/python3
"""impacket_nspi.py: Impacket's NSPI and RFRI clients, steered by JSON lines.

One request a line on standard input, one answer a line on standard output, in order:

    {"op": "connect", "conn": "a", "address": "127.0.20.10", "port": 0, "auth": "ntlm", "level": "connect",
     "syntax": "ndr", "domain": "LAB", "user": "alice", "password": "...", "group": 0, "interface": "nspi"}
    {"op": "bind", "conn": "a"}
    {"op": "query", "conn": "a", "handle": "<40 hex digits>"}
    {"op": "unbind", "conn": "a", "handle": "<40 hex digits>"}
    {"op": "call", "conn": "a", "opnum": 7, "size": 30000}
    {"op": "alter_context", "conn": "a", "interface": "rfri"}
    {"op": "refer", "conn": "a", "user_dn": "/o=LAB/cn=alice", "server_dn": "/o=LAB/cn=mailboxes"}
    {"op": "close", "conn": "a", "reset": false}
    {"op": "kill"}

Every answer has "ok". A failure also has "kind" (status: the method returned an error; fault, nak, rejected: what RPC
answered instead; closed, timeout: what TCP said; error: anything else), "status" (the number, 0 without one), "name"
and "text". Several connections live in one process under the names in "conn".

Needs Debian's python3-impacket (0.10), hence /usr/bin/python3. The end of standard input ends the process.
"""
import json
import os
import signal
import socket
import struct
import sys
from binascii import hexlify, unhexlify

from Cryptodome.Cipher import ARC4
from impacket import mapi_constants, ntlm
from impacket.dcerpc.v5 import epm, nspi, oxabref, rpcrt, transport
from impacket.spnego import SPNEGO_NegTokenInit, SPNEGO_NegTokenResp, TypesMech

TIMEOUT = 20  # seconds for connecting and for every answer: a test that hangs must end, with a reason
LEVELS = {'none': 1, 'connect': 2, 'call': 3, 'pkt': 4, 'integrity': 5, 'privacy': 6}
OPERATIONS = ('connect', 'bind', 'query', 'unbind', 'call', 'alter_context', 'refer', 'close')
INTERFACES = {'nspi': nspi.MSRPC_UUID_NSPI, 'rfri': oxabref.MSRPC_UUID_OXABREF}
SYNTAXES = {'ndr': ('8a885d04-1ceb-11c9-9fe8-08002b104860', '2.0'),
            'ndr64': ('71710533-beba-4937-8319-b5dbef9ccc36', '1.0')}
NTLMSSP_OID = TypesMech['NTLMSSP - Microsoft NTLM Security Support Provider']


class Closed(Exception):
    """The peer ended the connection."""


class Bind(rpcrt.MSRPCBind):
    """Impacket's bind with an association to join. Impacket appends the contexts again on every getData()."""
    group = 0

    def __init__(self, data=None, alignment=0):
        super().__init__(data, alignment)
        self['assoc_group'] = Bind.group

    def getData(self):
        self['ctx_items'] = b''
        return super().getData()


rpcrt.MSRPCBind = Bind


class Transport(transport.TCPTransport):
    """TCP that knows PDUs: whole writes, whole reads, and an end of file that is noticed (Impacket's own loops on it).

    pdu is the last one received, so that an error can be told from the bytes and not from a text."""

    def __init__(self, address, port):
        super().__init__(address, port)
        self.set_connect_timeout(TIMEOUT)
        self.pdu = b''
        self.unread = b''

    def send(self, data, forceWriteAndx=0, forceRecv=0):
        self.get_socket().sendall(data)

    def recv(self, forceRecv=0, count=0):
        if not self.unread:
            head = self.exactly(16)
            self.pdu = head + self.exactly(struct.unpack_from('<H', head, 8)[0] - 16)
            self.unread = self.pdu
        piece = self.unread[:count or None]
        self.unread = self.unread[len(piece):]
        return piece

    def exactly(self, n):
        data = b''
        while len(data) < n:
            more = self.get_socket().recv(n - len(data))
            if not more:
                raise Closed('end of file after %d bytes of %d' % (len(data), n))
            data += more
        return data

    def refusal(self):
        """kind and status of the last PDU, if it was a refusal."""
        self.unread = b''
        kind = self.pdu[2] if self.pdu else -1
        if kind == rpcrt.MSRPC_FAULT and len(self.pdu) >= 28:
            return 'fault', struct.unpack_from('<L', self.pdu, 24)[0]
        if kind == rpcrt.MSRPC_BINDNAK and len(self.pdu) >= 18:
            return 'nak', struct.unpack_from('<H', self.pdu, 16)[0]
        return None, 0


class NTLMInSPNEGO(int):
    """auth_type 9 on the wire, and Impacket's own NTLM where Impacket compares: it knows only Kerberos inside SPNEGO."""

    def __eq__(self, other):
        return other == rpcrt.RPC_C_AUTHN_WINNT or int(self) == other

    __hash__ = int.__hash__


class Client(rpcrt.DCERPC_v5):
    """DCERPC_v5 that also negotiates NTLM inside SPNEGO: bind, bind_ack, alter_context, alter_context_resp."""

    def get(self, name):
        return getattr(self, '_DCERPC_v5__' + name)

    def set(self, name, value):
        setattr(self, '_DCERPC_v5__' + name, value)

    def bind(self, iface_uuid, alter=0, bogus_binds=0, transfer_syntax=SYNTAXES['ndr']):
        if not isinstance(self.get('auth_type'), NTLMInSPNEGO):
            return super().bind(iface_uuid, alter, bogus_binds, transfer_syntax)
        body = Bind()
        item = rpcrt.CtxItem()
        item['AbstractSyntax'] = iface_uuid
        item['TransferSyntax'] = rpcrt.uuidtup_to_bin(transfer_syntax)
        item['ContextID'] = self._ctx
        item['TransItems'] = 1
        body.addCtxItem(item)

        negotiate = ntlm.getNTLMSSPType1('', '', signingRequired=True, use_ntlmv2=True)
        init = SPNEGO_NegTokenInit()
        init['MechTypes'] = [NTLMSSP_OID]
        init['MechToken'] = negotiate.getData()
        answer = self.leg(rpcrt.MSRPC_ALTERCTX if alter else rpcrt.MSRPC_BIND, body, init)
        ack = rpcrt.MSRPCBindAck(answer)
        if ack.getCtxItem(1)['Result'] != 0:
            raise rpcrt.DCERPCException('Bind context 1 rejected: %d' % ack.getCtxItem(1)['Reason'])
        self.transfer_syntax = ack.getCtxItem(1)['TransferSyntax']
        self.set('max_xmit_size', ack['max_rfrag'])

        authenticate, key = ntlm.getNTLMSSPType3(
            negotiate, SPNEGO_NegTokenResp(ack['auth_data'])['ResponseToken'], self.get('username'),
            self.get('password'), self.get('domain'), use_ntlmv2=True)
        resp = SPNEGO_NegTokenResp()
        resp['ResponseToken'] = authenticate.getData()
        self.leg(rpcrt.MSRPC_ALTERCTX, body, resp)
        self.set('callid', self.get('callid') + 1)
        self.keys(authenticate['flags'], key)
        return rpcrt.MSRPCHeader(answer)

    def leg(self, ptype, body, token):
        """One leg of the handshake; returns the PDU that answers it."""
        pdu = rpcrt.MSRPCHeader()
        pdu['type'] = ptype
        pdu['call_id'] = self.get('callid')
        pdu['pduData'] = body.getData()
        trailer = rpcrt.SEC_TRAILER()
        trailer['auth_type'] = int(self.get('auth_type'))
        trailer['auth_level'] = self.get('auth_level')
        trailer['auth_ctx_id'] = self._ctx + 79231
        pdu['sec_trailer'] = trailer
        pdu['auth_data'] = token.getData()
        self._transport.send(pdu.get_packet())
        answer = self._transport.recv()
        if answer[2] not in (rpcrt.MSRPC_BINDACK, rpcrt.MSRPC_ALTERCTX_R):
            raise rpcrt.DCERPCException('leg answered by PDU type %d' % answer[2])
        return answer

    def keys(self, flags, key):
        self.set('flags', flags)
        self.set('sessionKey', key)
        self.set('sequence', 0)
        for side, mode in (('client', 'Client'), ('server', b'Server')):
            sealing = ntlm.SEALKEY(flags, key, mode)
            self.set(side + 'SigningKey', ntlm.SIGNKEY(flags, key, mode))
            self.set(side + 'SealingKey', sealing)
            self.set(side + 'SealingHandle', ARC4.new(sealing).encrypt)


class Connection:
    """One TCP connection; its methods are the operations, their keywords the fields of a request."""

    def __init__(self):
        self.transport = self.rpc = None

    def connect(self, address, port=0, auth='none', level='none', domain='', user='', password='', group=0,
                syntax='ndr', interface='nspi'):
        port = port or self.mapped_port(address, INTERFACES[interface])
        self.transport = Transport(address, port)
        self.rpc = Client(self.transport)
        if auth != 'none':
            self.rpc.set_credentials(user, password, domain)
            self.rpc.set_auth_type({'ntlm': rpcrt.RPC_C_AUTHN_WINNT, 'spnego-ntlm': NTLMInSPNEGO(9)}[auth])
            self.rpc.set_auth_level(LEVELS[level])
        self.rpc.connect()
        Bind.group = group
        try:
            answer = self.rpc.bind(INTERFACES[interface], transfer_syntax=SYNTAXES[syntax])
        finally:
            Bind.group = 0
        ack = rpcrt.MSRPCBindAck(answer.getData())
        return {'port': port, 'group': ack['assoc_group'], 'max_xmit': ack['max_rfrag'],
                'local': address_text(*self.transport.get_socket().getsockname()[:2])}

    def mapped_port(self, address, interface):
        self.transport = Transport(address, 135)
        rpc = Client(self.transport)
        rpc.connect()
        try:
            binding = epm.hept_map(address, interface, protocol='ncacn_ip_tcp', dce=rpc)
        finally:
            self.transport.disconnect()
        return int(binding[binding.index('[') + 1:-1])

    def bind(self, flags=0, guid=False):
        request = nspi.NspiBind()
        request['dwFlags'] = flags
        request['pStat']['CodePage'] = nspi.CP_TELETEX
        if guid:
            request['pServerGuid'] = b'\x11' * 16
        answer = self.rpc.request(request)
        return {'handle': handle_text(answer['contextHandle']), 'status': answer['ErrorCode']}

    def query(self, handle):
        table = nspi.hNspiGetSpecialTable(self.rpc, handle_from(handle))
        rows = nspi.hNspiQueryRows(self.rpc, handle_from(handle), Count=50)
        return {'tables': table['ppRows']['cRows'], 'rows': rows['ppRows']['cRows'], 'status': rows['ErrorCode']}

    def unbind(self, handle):
        answer = nspi.hNspiUnbind(self.rpc, handle_from(handle))
        return {'status': answer['ErrorCode'], 'handle': handle_text(answer['contextHandle'])}

    def call(self, opnum, size=0):
        sent = bytes(i % 251 for i in range(size))
        self.rpc.call(opnum, sent)
        answer = self.rpc.recv()
        return {'size': len(answer), 'echoed': answer == sent}

    def alter_context(self, interface='nspi'):
        """The same interface again or another one, in a new presentation context with a security context of its own."""
        self.rpc = self.rpc.alter_ctx(INTERFACES[interface])
        return {}

    def refer(self, user_dn, server_dn):
        server = oxabref.hRfrGetNewDSA(self.rpc, user_dn)['ppszServer']
        fqdn = oxabref.hRfrGetFQDNFromServerDN(self.rpc, server_dn)['ppszServerFQDN']
        return {'server': server, 'fqdn': fqdn}

    def close(self, reset=False):
        s = self.transport.get_socket()
        if reset:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        s.close()
        return {}


def address_text(host, port):
    return ('[%s]:%d' if ':' in host else '%s:%d') % (host, port)


def handle_text(handle):
    return hexlify(struct.pack('<L', handle['context_handle_attributes']) + handle['context_handle_uuid']).decode()


def handle_from(text):
    # Filled in by hand: handle_t's constructor forgets the UUID of the data that it is given.
    raw = unhexlify(text)
    handle = nspi.handle_t()
    handle['context_handle_attributes'] = struct.unpack_from('<L', raw)[0]
    handle['context_handle_uuid'] = raw[4:]
    return handle


def failure(exc, conn):
    """What went wrong, as precisely as the bytes of the last PDU tell."""
    kind, status, name = 'error', 0, type(exc).__name__
    if isinstance(exc, (Closed, ConnectionError)):
        kind = 'closed'
    elif isinstance(exc, socket.timeout):
        kind = 'timeout'
    elif isinstance(exc, (nspi.DCERPCSessionError, oxabref.DCERPCSessionError)):
        kind, status = 'status', exc.get_error_code()
        name = mapi_constants.ERROR_MESSAGES.get(status, (name,))[0]
    elif isinstance(exc, rpcrt.DCERPCException):
        refused, code = conn.transport.refusal() if conn and conn.transport else (None, 0)
        if refused:
            kind, status, name = refused, code, rpcrt.rpc_status_codes.get(code, name)
        elif 'rejected' in str(exc):
            kind = 'rejected'
    return {'ok': False, 'kind': kind, 'status': status, 'name': str(name), 'text': str(exc).strip()}


def perform(connections, request):
    op, name = request.pop('op'), request.pop('conn', '')
    if op == 'kill':
        os.kill(os.getpid(), signal.SIGKILL)
    if op not in OPERATIONS:
        raise ValueError('no operation ' + op)
    if op == 'connect':
        connections[name] = Connection()
    return getattr(connections[name], op)(**request)


def main():
    connections = {}
    for line in sys.stdin:
        request = json.loads(line)
        name = request.get('conn', '')
        try:
            answer = dict(perform(connections, request), ok=True)
        except Exception as exc:  # whatever Impacket throws is an answer to the test
            answer = failure(exc, connections.get(name))
        print(json.dumps(answer), flush=True)


if __name__ == '__main__':
    main()
