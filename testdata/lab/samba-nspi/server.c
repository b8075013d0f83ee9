/* SPDX-License-Identifier: GPL-3.0-or-later   (links with Samba's RPC server)
 *
 * NSPI for Samba's domain controller (MS-NSPI, F5CC5A18-4264-101A-8C59-08002B2F8426 v56.0), as far as a proxy in front of
 * it can tell: sessions are real, the address book is not.
 *
 *   opnum 0      NspiBind: a context handle of the association, or MAPI_E_LOGON_FAILED in the form of MS-NSPI 3.1.4.1
 *                (no GUID, a zero handle) for clients that did not authenticate and for users at their limit
 *   opnum 1      NspiUnbind: 1 and a zero handle; 2 for a zero handle; a context_mismatch fault for one that Samba does
 *                not know
 *   opnum 2      NspiUpdateStat: moves in a table that has ENTRIES rows and nothing in them; a context_mismatch fault for
 *                any handle that Samba does not know
 *   opnums 3-20  the request's stub comes back as the response's
 *   others       a fault, nca_s_op_rng_error
 *
 * The referral interface is beside it (MS-OXABREF, 1544F5E0-613C-11D1-93DF-00C04FD7BD09 v1.0). Both its methods send the
 * request's stub back, too: a client that wants to be referred to a server calls with the answer.
 *
 * A session ends with its NspiUnbind or when Samba runs its handle down, at the end of the last connection of the
 * association. It belongs to the user's SID, which is what the limit counts.
 *
 * The folder that smb.conf names in "nspi:folder" has two files for tests:
 *
 *   limit    sessions per user, a decimal number, read at every NspiBind; without the file 50, as Windows has it
 *   status   one line of JSON, replaced whenever a number changes:
 *            {"sessions": 2, "granted": 5, "refused": 1, "unbound": 2, "rundown": 1, "users": {"S-1-5-21-...": 2},
 *            "peers": ["10.77.1.2:50324", "[fd77:1::2]:50325"]}
 *            sessions, users and peers are of this moment, the other numbers count since the server's start; peers has for
 *            each session, the youngest first, the client's end of the connection that opened it
 *
 * Handles keep all connections of the endpoint in one process of Samba's, whatever its process model, so plain variables
 * are enough. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <talloc.h>
#include <util/data_blob.h>
#include <core/ntstatus.h>
#include <dcerpc.h>
#include <dcerpc_server.h>
#include <rpc_common.h>
#include <param.h>
#include <tsocket.h>
#include <ndr.h>
#include <gen_ndr/auth.h>
#include <gen_ndr/misc.h>
#include <gen_ndr/ndr_misc.h>

enum { NSPI_BIND = 0, NSPI_UNBIND = 1, NSPI_UPDATE_STAT = 2, NSPI_ECHO = 3, NSPI_LAST = 20 };
enum { RFRI_LAST = 1 };
enum { UNBIND_SUCCESS = 1, UNBIND_FAILURE = 2 };
#define MAPI_E_LOGON_FAILED 0x80040111u

enum { ENTRIES = 12 }; /* rows of the address book */

enum { DEFAULT_LIMIT = 50, HANDLE_TYPE = 0 /* the attributes of a handle on the wire: Windows sends 0 */ };

/* ---- sessions ---- */

enum { SID_TEXT = 192, PEER_TEXT = 64 };

/* One user, with sessions or without any more: a test's domain has few. */
struct user {
	struct user *next;
	char sid[SID_TEXT];
	unsigned sessions;
};

/* A session hangs below its handle, which hangs below its association: talloc frees it with them. */
struct session {
	struct session *next, **link; /* of all sessions: what points to this one */
	struct user *user;
	char peer[PEER_TEXT];
	bool unbound; /* freed by NspiUnbind, not by a rundown */
};

static struct user *users;
static struct session *sessions;
static struct { unsigned sessions, granted, refused, unbound, rundown; } count;
static const char *folder; /* of the files above; NULL: neither is there */

static void write_status(void)
{
	char path[512], temporary[520];
	if (folder == NULL) return;
	snprintf(path, sizeof path, "%s/status", folder);
	snprintf(temporary, sizeof temporary, "%s.new", path);
	FILE *f = fopen(temporary, "w");
	if (f == NULL) return;
	fprintf(f, "{\"sessions\": %u, \"granted\": %u, \"refused\": %u, \"unbound\": %u, \"rundown\": %u, \"users\": {",
		count.sessions, count.granted, count.refused, count.unbound, count.rundown);
	const char *comma = "";
	for (const struct user *u = users; u != NULL; u = u->next) {
		if (u->sessions == 0) continue;
		fprintf(f, "%s\"%s\": %u", comma, u->sid, u->sessions);
		comma = ", ";
	}
	fprintf(f, "}, \"peers\": [");
	for (const struct session *s = sessions; s != NULL; s = s->next)
		fprintf(f, "\"%s\"%s", s->peer, s->next == NULL ? "" : ", ");
	fprintf(f, "]}\n");
	if (fclose(f) == 0) rename(temporary, path); /* a reader sees the old line or the new one */
}

static unsigned limit(void)
{
	char path[512];
	unsigned n = DEFAULT_LIMIT;
	if (folder == NULL) return n;
	snprintf(path, sizeof path, "%s/limit", folder);
	FILE *f = fopen(path, "r");
	if (f == NULL) return n;
	if (fscanf(f, "%u", &n) != 1) n = DEFAULT_LIMIT;
	fclose(f);
	return n;
}

static void sid_text(const struct dom_sid *sid, char text[SID_TEXT])
{
	uint64_t authority = 0;
	for (int i = 0; i < 6; i++) authority = authority << 8 | sid->id_auth[i];
	int n = snprintf(text, SID_TEXT, "S-%u-%llu", sid->sid_rev_num, (unsigned long long)authority);
	for (int i = 0; i < sid->num_auths; i++) n += snprintf(text + n, SID_TEXT - n, "-%u", sid->sub_auths[i]);
}

/* The user who calls; NULL for one who is nobody in particular: not authenticated, or as anonymous. */
static struct user *caller(struct dcesrv_call_state *call)
{
	char sid[SID_TEXT];
	struct auth_session_info *info = dcesrv_call_session_info(call);
	if (info == NULL || info->security_token == NULL || info->security_token->num_sids == 0) return NULL;
	sid_text(&info->security_token->sids[0], sid);
	if (strcmp(sid, "S-1-5-7") == 0) return NULL;
	for (struct user *u = users; u != NULL; u = u->next)
		if (strcmp(u->sid, sid) == 0) return u;
	struct user *u = talloc_zero(NULL, struct user);
	if (u == NULL) return NULL;
	memcpy(u->sid, sid, sizeof sid);
	u->next = users;
	users = u;
	return u;
}

/* Where the caller's connection comes from, in brackets if by IPv6. */
static void peer_text(struct dcesrv_call_state *call, char text[PEER_TEXT])
{
	const struct tsocket_address *remote = dcesrv_connection_get_remote_address(call->conn);
	char *host = tsocket_address_inet_addr_string(remote, call);
	const bool ipv6 = host != NULL && strchr(host, ':') != NULL;
	snprintf(text, PEER_TEXT, ipv6 ? "[%s]:%u" : "%s:%u", host == NULL ? "" : host, tsocket_address_inet_port(remote));
	talloc_free(host);
}

static void link_session(struct session *s)
{
	s->next = sessions;
	s->link = &sessions;
	if (s->next != NULL) s->next->link = &s->next;
	sessions = s;
}

static int end_session(struct session *s)
{
	*s->link = s->next;
	if (s->next != NULL) s->next->link = s->link;
	s->user->sessions--;
	count.sessions--;
	*(s->unbound ? &count.unbound : &count.rundown) += 1;
	write_status();
	return 0;
}

/* Opens a session and returns its handle; NULL when the user may have no more. */
static struct dcesrv_handle *open_session(struct dcesrv_call_state *call)
{
	struct user *user = caller(call);
	if (user == NULL || user->sessions >= limit()) return NULL;
	struct dcesrv_handle *handle = dcesrv_handle_create(call, HANDLE_TYPE);
	if (handle == NULL) return NULL;
	struct session *s = talloc_zero(handle, struct session);
	if (s == NULL) {
		talloc_free(handle);
		return NULL;
	}
	s->user = user;
	peer_text(call, s->peer);
	link_session(s);
	handle->data = s;
	talloc_set_destructor(s, end_session);
	user->sessions++;
	count.sessions++;
	count.granted++;
	write_status();
	return handle;
}

/* ---- methods ---- */

/* STAT (MS-NSPI 2.3.7) as an array, and the places in it that matter here. */
enum { STAT_CURRENT_REC = 2, STAT_DELTA = 3, STAT_NUM_POS = 4, STAT_TOTAL_RECS = 5, STAT_WORDS = 9 };

/* Positions that are no rows (MS-NSPI 2.2.1.8). The rows are numbered from FIRST_ROW on. */
enum { MID_BEGINNING = 0, MID_CURRENT = 1, MID_END = 2, FIRST_ROW = 0x10 };

/* What a call carries between the steps that Samba takes: unmarshalled, dispatched, marshalled. */
struct method {
	uint16_t opnum;
	bool has_guid;               /* NspiBind: the client wants to know the server's GUID */
	struct policy_handle handle; /* NspiUpdateStat: of the request; NspiUnbind: of the request, then of the response */
	uint32_t stat[STAT_WORDS];   /* NspiUpdateStat: of the request, then of the response */
	bool has_delta;              /* NspiUpdateStat: the client wants to know how far that is */
	int32_t delta;
	uint32_t code;               /* the return value */
	DATA_BLOB stub;              /* opnums 3 to 20 */
};

enum { REFERENT = 0x20000 }; /* of a pointer that is not NULL */

static const uint8_t server_guid[16] = "nspiproxy's lab"; /* one for all sessions, as on Windows; the NUL is the 16th */

static enum ndr_err_code pull_bind(struct ndr_pull *p, struct method *m)
{
	uint32_t ignored, referent;
	enum { FLAGS_AND_STAT = 10 }; /* dwFlags and the nine members of STAT */
	for (int i = 0; i < FLAGS_AND_STAT; i++) NDR_CHECK(ndr_pull_uint32(p, NDR_SCALARS, &ignored));
	NDR_CHECK(ndr_pull_uint32(p, NDR_SCALARS, &referent));
	m->has_guid = referent != 0;
	if (m->has_guid) {
		uint8_t guid[16];
		NDR_CHECK(ndr_pull_bytes(p, guid, sizeof guid));
	}
	return NDR_ERR_SUCCESS;
}

static enum ndr_err_code pull_update_stat(struct ndr_pull *p, struct method *m)
{
	uint32_t reserved, referent, delta;
	NDR_CHECK(ndr_pull_policy_handle(p, NDR_SCALARS, &m->handle));
	NDR_CHECK(ndr_pull_uint32(p, NDR_SCALARS, &reserved));
	for (int i = 0; i < STAT_WORDS; i++) NDR_CHECK(ndr_pull_uint32(p, NDR_SCALARS, &m->stat[i]));
	NDR_CHECK(ndr_pull_uint32(p, NDR_SCALARS, &referent));
	m->has_delta = referent != 0;
	if (m->has_delta) NDR_CHECK(ndr_pull_uint32(p, NDR_SCALARS, &delta)); /* its content is meaningless input */
	return NDR_ERR_SUCCESS;
}

static enum ndr_err_code pull_unbind(struct ndr_pull *p, struct method *m)
{
	uint32_t reserved;
	NDR_CHECK(ndr_pull_policy_handle(p, NDR_SCALARS, &m->handle));
	return ndr_pull_uint32(p, NDR_SCALARS, &reserved);
}

static const struct dcesrv_interface rfri;

/* The method of a call; a method of the referral interface is one of those that send stubs back. */
static uint16_t opnum_of(const struct dcesrv_call_state *call)
{
	uint16_t opnum = call->pkt.u.request.opnum;
	if (call->context->iface->syntax_id.if_version != rfri.syntax_id.if_version) return opnum;
	return opnum <= RFRI_LAST ? NSPI_ECHO : NSPI_LAST + 1;
}

static NTSTATUS pull(struct dcesrv_call_state *call, TALLOC_CTX *mem, struct ndr_pull *p, void **r)
{
	struct method *m = talloc_zero(mem, struct method);
	if (m == NULL) return NT_STATUS_NO_MEMORY;
	*r = m;
	m->opnum = opnum_of(call);
	enum ndr_err_code e = NDR_ERR_SUCCESS;
	if (m->opnum == NSPI_BIND) {
		e = pull_bind(p, m);
	} else if (m->opnum == NSPI_UNBIND) {
		e = pull_unbind(p, m);
	} else if (m->opnum == NSPI_UPDATE_STAT) {
		e = pull_update_stat(p, m);
	} else if (m->opnum <= NSPI_LAST) {
		m->stub = data_blob_talloc(m, p->data + p->offset, p->data_size - p->offset);
	} else {
		call->fault_code = DCERPC_FAULT_OP_RNG_ERROR;
		return NT_STATUS_NET_WRITE_FAULT;
	}
	p->offset = p->data_size; /* no complaint about a verification trailer */
	if (e == NDR_ERR_SUCCESS) return NT_STATUS_OK;
	call->fault_code = DCERPC_FAULT_NDR;
	return NT_STATUS_NET_WRITE_FAULT;
}

static void do_bind(struct dcesrv_call_state *call, struct method *m)
{
	struct dcesrv_handle *handle = open_session(call);
	if (handle != NULL) {
		m->handle = handle->wire_handle;
		return;
	}
	m->has_guid = false;
	m->code = MAPI_E_LOGON_FAILED;
	count.refused++;
	write_status();
}

static NTSTATUS do_unbind(struct dcesrv_call_state *call, struct method *m)
{
	m->code = UNBIND_FAILURE;
	if (ndr_policy_handle_empty(&m->handle)) return NT_STATUS_OK; /* Samba would create one */
	struct dcesrv_handle *handle = dcesrv_handle_lookup(call, &m->handle, HANDLE_TYPE);
	if (handle == NULL) {
		call->fault_code = DCERPC_FAULT_CONTEXT_MISMATCH;
		return NT_STATUS_NET_WRITE_FAULT;
	}
	((struct session *)handle->data)->unbound = true;
	talloc_free(handle);
	memset(&m->handle, 0, sizeof m->handle);
	m->code = UNBIND_SUCCESS;
	return NT_STATUS_OK;
}

/* Where a STAT is in the table before it moves: from 0, the first row, to ENTRIES, behind the last. */
static int64_t position(const uint32_t stat[STAT_WORDS])
{
	switch (stat[STAT_CURRENT_REC]) {
	case MID_BEGINNING: return 0;
	case MID_CURRENT: return stat[STAT_NUM_POS];
	case MID_END: return ENTRIES;
	default: return (int64_t)stat[STAT_CURRENT_REC] - FIRST_ROW;
	}
}

static NTSTATUS do_update_stat(struct dcesrv_call_state *call, struct method *m)
{
	if (ndr_policy_handle_empty(&m->handle) || dcesrv_handle_lookup(call, &m->handle, HANDLE_TYPE) == NULL) {
		call->fault_code = DCERPC_FAULT_CONTEXT_MISMATCH;
		return NT_STATUS_NET_WRITE_FAULT;
	}
	const int64_t from = position(m->stat);
	int64_t to = from + (int32_t)m->stat[STAT_DELTA];
	if (to < 0) to = 0;
	if (to > ENTRIES) to = ENTRIES;
	m->delta = (int32_t)(to - from);
	m->stat[STAT_CURRENT_REC] = to == ENTRIES ? MID_END : FIRST_ROW + (uint32_t)to;
	m->stat[STAT_DELTA] = 0;
	m->stat[STAT_NUM_POS] = (uint32_t)to;
	m->stat[STAT_TOTAL_RECS] = ENTRIES;
	return NT_STATUS_OK;
}

static NTSTATUS dispatch(struct dcesrv_call_state *call, TALLOC_CTX *mem, void *r)
{
	struct method *m = r;
	if (m->opnum == NSPI_UNBIND) return do_unbind(call, m);
	if (m->opnum == NSPI_UPDATE_STAT) return do_update_stat(call, m);
	if (m->opnum == NSPI_BIND) do_bind(call, m);
	return NT_STATUS_OK;
}

static NTSTATUS reply(struct dcesrv_call_state *call, TALLOC_CTX *mem, void *r) { return NT_STATUS_OK; }

static enum ndr_err_code push_update_stat(struct ndr_push *p, const struct method *m)
{
	for (int i = 0; i < STAT_WORDS; i++) NDR_CHECK(ndr_push_uint32(p, NDR_SCALARS, m->stat[i]));
	NDR_CHECK(ndr_push_uint32(p, NDR_SCALARS, m->has_delta ? REFERENT : 0));
	if (m->has_delta) NDR_CHECK(ndr_push_uint32(p, NDR_SCALARS, (uint32_t)m->delta));
	return ndr_push_uint32(p, NDR_SCALARS, m->code);
}

static enum ndr_err_code push_method(struct ndr_push *p, const struct method *m)
{
	if (m->opnum == NSPI_UPDATE_STAT) return push_update_stat(p, m);
	if (m->opnum > NSPI_UPDATE_STAT) return ndr_push_bytes(p, m->stub.data, m->stub.length);
	if (m->opnum == NSPI_BIND) {
		NDR_CHECK(ndr_push_uint32(p, NDR_SCALARS, m->has_guid ? REFERENT : 0));
		if (m->has_guid) NDR_CHECK(ndr_push_bytes(p, server_guid, sizeof server_guid));
	}
	NDR_CHECK(ndr_push_policy_handle(p, NDR_SCALARS, &m->handle));
	return ndr_push_uint32(p, NDR_SCALARS, m->code);
}

static NTSTATUS push(struct dcesrv_call_state *call, TALLOC_CTX *mem, struct ndr_push *p, const void *r)
{
	return push_method(p, r) == NDR_ERR_SUCCESS ? NT_STATUS_OK : NT_STATUS_NO_MEMORY;
}

/* ---- what Samba wants to know ---- */

/* Every level is served, "connect" too: it is what many NSPI clients use. */
static NTSTATUS bound(struct dcesrv_connection_context *context, const struct dcesrv_interface *interface)
{
	return dcesrv_interface_bind_allow_connect(context, interface);
}

static void unbound(struct dcesrv_connection_context *context, const struct dcesrv_interface *interface) {}

static const struct dcesrv_interface nspi = {
	.name = "nspi",
	.syntax_id = {{0xf5cc5a18, 0x4264, 0x101a, {0x8c, 0x59}, {0x08, 0x00, 0x2b, 0x2f, 0x84, 0x26}}, 56},
	.bind = bound, .unbind = unbound,
	.ndr_pull = pull, .dispatch = dispatch, .reply = reply, .ndr_push = push,
};

static const struct dcesrv_interface rfri = {
	.name = "rfri",
	.syntax_id = {{0x1544f5e0, 0x613c, 0x11d1, {0x93, 0xdf}, {0x00, 0xc0, 0x4f, 0xd7, 0xbd, 0x09}}, 1},
	.bind = bound, .unbind = unbound,
	.ndr_pull = pull, .dispatch = dispatch, .reply = reply, .ndr_push = push,
};

/* ---- other endpoints ---- */

/* On Windows all interfaces of a process can be called on all of its endpoints, whatever the endpoint mapper says of each.
 * Samba's endpoints have lists of interfaces, all of which its endpoint mapper names. So ours are added to every other TCP
 * endpoint of this process, and are not named there: see dcerpc_binding_build_tower. The endpoint mapper itself is another
 * process on Windows, and NETLOGON is one with Samba. */
enum { MAX_OTHERS = 16 }; /* Samba has two or three */
static const struct dcesrv_endpoint *others[MAX_OTHERS];
static size_t n_others;

static bool serves_nspi(const struct dcesrv_endpoint *e)
{
	for (const struct dcesrv_if_list *i = e->interface_list; i; i = i->next)
		if (ndr_syntax_id_equal(&i->iface->syntax_id, &nspi.syntax_id)) return true;
	return false;
}

/* serve_on puts an interface before those of an endpoint, which has some. The last one is the predecessor of the first. */
static void serve_on(struct dcesrv_endpoint *e, const struct dcesrv_interface *interface)
{
	struct dcesrv_if_list *i = talloc_zero(e, struct dcesrv_if_list);
	i->iface = talloc_memdup(i, interface, sizeof(*interface));
	i->next = e->interface_list;
	i->prev = e->interface_list->prev;
	e->interface_list->prev = i;
	e->interface_list = i;
}

static void serve_on_others(struct dcesrv_context *context)
{
	for (struct dcesrv_endpoint *e = context->endpoint_list; e; e = e->next) {
		if (dcerpc_binding_get_transport(e->ep_description) != NCACN_IP_TCP || !e->use_single_process) continue;
		const char *port = dcerpc_binding_get_string_option(e->ep_description, "endpoint");
		if ((port && strcmp(port, "135") == 0) || !e->interface_list || serves_nspi(e) || n_others == MAX_OTHERS) continue;
		serve_on(e, &nspi);
		serve_on(e, &rfri);
		others[n_others++] = e;
	}
}

/* dcerpc_binding_build_tower stands before Samba's own, by which the endpoint mapper makes its list: it leaves out what it has no
 * tower for. Ports are known only when Samba listens. */
NTSTATUS dcerpc_binding_build_tower(TALLOC_CTX *mem_ctx, const struct dcerpc_binding *binding, struct epm_tower *tower)
{
	static NTSTATUS (*own)(TALLOC_CTX *, const struct dcerpc_binding *, struct epm_tower *);
	if (!own) *(void **)&own = dlsym(RTLD_NEXT, "dcerpc_binding_build_tower");
	struct ndr_syntax_id syntax = dcerpc_binding_get_abstract_syntax(binding);
	const char *port = dcerpc_binding_get_string_option(binding, "endpoint");
	bool ours = ndr_syntax_id_equal(&syntax, &nspi.syntax_id) || ndr_syntax_id_equal(&syntax, &rfri.syntax_id);
	for (size_t i = 0; ours && port && i < n_others; i++) {
		const char *other = dcerpc_binding_get_string_option(others[i]->ep_description, "endpoint");
		if (other && strcmp(port, other) == 0) return NT_STATUS_NOT_FOUND;
	}
	return own(mem_ctx, binding, tower);
}

static NTSTATUS init_server(struct dcesrv_context *context, const struct dcesrv_endpoint_server *server)
{
	folder = lpcfg_parm_string(context->lp_ctx, NULL, "nspi", "folder");
	write_status();
	NTSTATUS status = dcesrv_interface_register(context, "ncacn_ip_tcp:", NULL, &nspi, NULL);
	if (!NT_STATUS_IS_OK(status)) return status;
	status = dcesrv_interface_register(context, "ncacn_ip_tcp:", NULL, &rfri, NULL);
	serve_on_others(context); /* this server is the last one that is introduced */
	return status;
}

static NTSTATUS shutdown_server(struct dcesrv_context *context, const struct dcesrv_endpoint_server *server)
{
	return NT_STATUS_OK;
}

static bool by_uuid(struct dcesrv_interface *interface, const struct GUID *uuid, uint32_t version)
{
	return false; /* nobody asks for this interface but over the network */
}

static bool by_name(struct dcesrv_interface *interface, const char *name)
{
	if (strcmp(name, nspi.name) != 0) return false;
	*interface = nspi;
	return true;
}

static const struct dcesrv_endpoint_server server = {
	.name = "nspi", .init_server = init_server, .shutdown_server = shutdown_server,
	.interface_by_uuid = by_uuid, .interface_by_name = by_name,
};

/* Samba loads modules from its own folder only, which belongs to Debian. So this one is preloaded (LD_PRELOAD) and introduces
 * itself, before main; programs that Samba starts have no use for it. */
__attribute__((constructor)) static void introduce(void)
{
	unsetenv("LD_PRELOAD");
	NTSTATUS status = dcerpc_register_ep_server(&server);
	if (NT_STATUS_IS_OK(status)) return;
	fprintf(stderr, "nspi.so: registered: 0x%08x\n", NT_STATUS_V(status));
	_exit(1);
}
