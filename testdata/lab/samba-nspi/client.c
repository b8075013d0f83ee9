/* SPDX-License-Identifier: GPL-3.0-or-later   (links with Samba's libdcerpc)
 *
 * nspi-client SMB.CONF: Samba's client runtime calling NSPI, steered line by line. One request a line on standard input,
 * words separated by tabs; one answer a line on standard output, in order, as JSON. Several connections live in one
 * process, each under a name. The end of standard input ends the process.
 *
 *   connect CONN binding=... auth=none|ntlm|kerberos [user=... password=... domain=... realm=...] [mux=1] [krb5_config=...]
 *           [interface=rfri]
 *                               binding as Samba writes it: ncacn_ip_tcp:127.0.20.1[seal,krb5,target_hostname=dc1.lab.test];
 *                               without a port the endpoint mapper is asked. mux: several calls may be under way at once.
 *                               Answers "group", the association. krb5_config: a file, as in the variable KRB5_CONFIG; the first
 *                               one of the process counts. interface: the referral interface instead of NSPI.
 *   bind CONN [guid=1]          NspiBind, asking for the server's GUID or not; answers "handle", as it came
 *   unbind CONN handle=HEX      NspiUnbind with that handle as it is; answers "status", 1 being success
 *   echo CONN sizes=N,N,... [opnum=N]
 *                               calls whose stubs the lab's server sends back, all sent before the first answer is waited
 *                               for; each has bytes of its own, and all are compared. Answers "size", the bytes of all.
 *   refer CONN opnum=N stub=HEX
 *                               one call with that stub, which the lab's server sends back; answers "stub", as it came
 *   close CONN
 *
 * Every answer has "ok". A failure has "kind", "status" and "name":
 *   status   the method returned an error: its number
 *   fault    a fault PDU: its number
 *   closed   the server ended the connection
 *   client   the runtime did not like what it got, such as a signature; name says what, status is the NTSTATUS
 *   wrong    an answer that verified and is not what was asked for */
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>
#define TEVENT_DEPRECATED 1 /* nested loops: the runtime's Kerberos needs them */
#include <tevent.h>
#include <util/data_blob.h>
#include <core/ntstatus.h>
#include <core/error.h>
#include <credentials.h>
#include <dcerpc.h>
#include <param.h>
#include <ndr.h>
#include <gen_ndr/ndr_misc.h>

enum { NSPI_BIND = 0, NSPI_UNBIND = 1, UNBIND_SUCCESS = 1, DEFAULT_ECHO = 3 };
enum { HANDLE = 20, GUID_SIZE = 16, CALL_SECONDS = 60 };

static const char *const endpoints[] = {"ncacn_ip_tcp:"};
static const struct ndr_interface_string_array endpoint_array = {1, endpoints};
static const char *const services[] = {"exchangeAB"}; /* the SPN is exchangeAB/host */
static const struct ndr_interface_string_array service_array = {1, services};
static const struct ndr_interface_table nspi = {
	.name = "nspi",
	.syntax_id = {{0xf5cc5a18, 0x4264, 0x101a, {0x8c, 0x59}, {0x08, 0x00, 0x2b, 0x2f, 0x84, 0x26}}, 56},
	.helpstring = "nspi", .endpoints = &endpoint_array, .authservices = &service_array,
};

static const struct ndr_interface_table rfri = {
	.name = "rfri",
	.syntax_id = {{0x1544f5e0, 0x613c, 0x11d1, {0x93, 0xdf}, {0x00, 0xc0, 0x4f, 0xd7, 0xbd, 0x09}}, 1},
	.helpstring = "rfri", .endpoints = &endpoint_array, .authservices = &service_array,
};

static struct tevent_context *events;
static struct loadparm_context *config;

/* ---- connections ---- */

struct connection {
	struct connection *next;
	const char *name;
	bool big_endian;
	struct dcerpc_pipe *pipe;
};

static struct connection *connections;

static struct connection *find(const char *name)
{
	struct connection *c = connections;
	while (c != NULL && strcmp(c->name, name) != 0) c = c->next;
	return c;
}

static void forget(struct connection *gone)
{
	struct connection **c = &connections;
	while (*c != NULL && *c != gone) c = &(*c)->next;
	if (*c != NULL) *c = gone->next;
	talloc_free(gone);
}

/* ---- requests and answers ---- */

struct request {
	char *op, *connection;
	char *words[16];
	int count;
};

static bool split(char *line, struct request *r)
{
	memset(r, 0, sizeof *r);
	line[strcspn(line, "\n")] = 0;
	r->op = strsep(&line, "\t");
	r->connection = strsep(&line, "\t");
	while (line != NULL && r->count < 16) r->words[r->count++] = strsep(&line, "\t");
	return r->connection != NULL && line == NULL;
}

static const char *value(const struct request *r, const char *key)
{
	size_t n = strlen(key);
	for (int i = 0; i < r->count; i++)
		if (strncmp(r->words[i], key, n) == 0 && r->words[i][n] == '=') return r->words[i] + n + 1;
	return NULL;
}

static void fail(const char *kind, uint32_t status, const char *name)
{
	printf("{\"ok\": false, \"kind\": \"%s\", \"status\": %u, \"name\": \"%s\"}\n", kind, status, name);
}

static void fail_nt(NTSTATUS status, uint32_t fault)
{
	static const NTSTATUS closed[] = {NT_STATUS_CONNECTION_DISCONNECTED, NT_STATUS_CONNECTION_RESET,
		NT_STATUS_CONNECTION_ABORTED, NT_STATUS_CONNECTION_INVALID, NT_STATUS_END_OF_FILE, NT_STATUS_NET_WRITE_FAULT};
	if (fault != 0) {
		fail("fault", fault, nt_errstr(status));
		return;
	}
	const char *kind = "client";
	for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
		if (NT_STATUS_EQUAL(status, closed[i])) kind = "closed";
	fail(kind, NT_STATUS_V(status), nt_errstr(status));
}

/* ---- numbers and bytes ---- */

static void put32(uint8_t *b, uint32_t v, bool big)
{
	for (int i = 0; i < 4; i++) b[big ? 3 - i : i] = v >> (8 * i);
}

static uint32_t get32(const uint8_t *b, bool big)
{
	uint32_t v = 0;
	for (int i = 0; i < 4; i++) v |= (uint32_t)b[big ? 3 - i : i] << (8 * i);
	return v;
}

static bool from_hex(const char *text, uint8_t *b, size_t n)
{
	if (text == NULL || strlen(text) != 2 * n) return false;
	for (size_t i = 0; i < n; i++)
		if (sscanf(text + 2 * i, "%2hhx", &b[i]) != 1) return false;
	return true;
}

/* ---- operations ---- */

static struct cli_credentials *credentials(TALLOC_CTX *mem, const struct request *r)
{
	const char *auth = value(r, "auth");
	struct cli_credentials *c = cli_credentials_init(mem);
	cli_credentials_set_conf(c, config);
	if (auth == NULL || strcmp(auth, "none") == 0) {
		cli_credentials_set_anonymous(c);
		return c;
	}
	cli_credentials_set_username(c, value(r, "user"), CRED_SPECIFIED);
	cli_credentials_set_password(c, value(r, "password"), CRED_SPECIFIED);
	cli_credentials_set_domain(c, value(r, "domain"), CRED_SPECIFIED);
	cli_credentials_set_realm(c, value(r, "realm"), CRED_SPECIFIED);
	bool kerberos = strcmp(auth, "kerberos") == 0;
	cli_credentials_set_kerberos_state(c, kerberos ? CRED_USE_KERBEROS_REQUIRED : CRED_USE_KERBEROS_DISABLED, CRED_SPECIFIED);
	return c;
}

static void op_connect(const struct request *r)
{
	struct connection *c = talloc_zero(NULL, struct connection);
	struct dcerpc_binding *binding = NULL;
	const struct ndr_interface_table *interface = value(r, "interface") != NULL ? &rfri : &nspi;
	if (value(r, "krb5_config") != NULL) setenv("KRB5_CONFIG", value(r, "krb5_config"), 1);
	NTSTATUS status = dcerpc_parse_binding(c, value(r, "binding"), &binding);
	if (NT_STATUS_IS_OK(status) && value(r, "mux") != NULL)
		status = dcerpc_binding_set_flags(binding, DCERPC_CONCURRENT_MULTIPLEX, 0);
	if (NT_STATUS_IS_OK(status))
		status = dcerpc_pipe_connect_b(c, &c->pipe, binding, interface, credentials(c, r), events, config);
	if (!NT_STATUS_IS_OK(status)) {
		talloc_free(c);
		fail_nt(status, 0);
		return;
	}
	c->name = talloc_strdup(c, r->connection);
	c->big_endian = (dcerpc_binding_get_flags(binding) & DCERPC_PUSH_BIGENDIAN) != 0;
	c->next = connections;
	connections = c;
	dcerpc_binding_handle_set_timeout(c->pipe->binding_handle, CALL_SECONDS);
	printf("{\"ok\": true, \"group\": %u}\n", dcerpc_binding_get_assoc_group_id(c->pipe->binding));
}

/* Calls a method; answers for itself when that fails. big tells the byte order of what came back. */
static bool call(struct connection *c, TALLOC_CTX *mem, uint32_t opnum, uint8_t *in, size_t n, DATA_BLOB *out, bool *big)
{
	uint32_t flags = 0;
	c->pipe->last_fault_code = 0;
	NTSTATUS status = dcerpc_binding_handle_raw_call(c->pipe->binding_handle, NULL, opnum, 0, in, n, mem,
		&out->data, &out->length, &flags);
	*big = (flags & LIBNDR_FLAG_BIGENDIAN) != 0;
	if (NT_STATUS_IS_OK(status)) return true;
	fail_nt(status, c->pipe->last_fault_code);
	return false;
}

static void op_bind(struct connection *c, TALLOC_CTX *mem, const struct request *r)
{
	/* dwFlags, the nine members of STAT, and a pointer to a GUID that the server overwrites */
	enum { CODE_PAGE = 28, TEMPLATE_LOCALE = 32, REFERENT = 40, GUID = 44 };
	uint8_t in[GUID + GUID_SIZE] = {0};
	bool big, guid = value(r, "guid") != NULL;
	DATA_BLOB out;
	put32(in + CODE_PAGE, 1252, c->big_endian);
	put32(in + TEMPLATE_LOCALE, 1033, c->big_endian);
	if (guid) put32(in + REFERENT, 0x20004, c->big_endian);
	if (!call(c, mem, NSPI_BIND, in, guid ? sizeof in : GUID, &out, &big)) return;
	if (out.length != 4 + HANDLE + 4 && out.length != 4 + GUID_SIZE + HANDLE + 4) {
		fail("wrong", 0, "length of NspiBind's response");
		return;
	}
	uint32_t code = get32(out.data + out.length - 4, big);
	if (code != 0) {
		fail("status", code, "NspiBind");
		return;
	}
	printf("{\"ok\": true, \"status\": 0, \"handle\": \"");
	for (size_t i = out.length - 4 - HANDLE; i < out.length - 4; i++) printf("%02x", out.data[i]);
	printf("\"}\n");
}

static void op_unbind(struct connection *c, TALLOC_CTX *mem, const struct request *r)
{
	static const uint8_t null_handle[HANDLE];
	uint8_t in[HANDLE + 4] = {0};
	bool big;
	DATA_BLOB out;
	if (!from_hex(value(r, "handle"), in, HANDLE)) {
		fail("wrong", 0, "handle");
		return;
	}
	if (!call(c, mem, NSPI_UNBIND, in, sizeof in, &out, &big)) return;
	if (out.length != sizeof in || memcmp(out.data, null_handle, HANDLE) != 0) {
		fail("wrong", 0, "NspiUnbind's response");
		return;
	}
	uint32_t code = get32(out.data + HANDLE, big);
	if (code != UNBIND_SUCCESS) fail("status", code, "NspiUnbind");
	else printf("{\"ok\": true, \"status\": %u}\n", code);
}

static void op_refer(struct connection *c, TALLOC_CTX *mem, const struct request *r)
{
	const char *hex = value(r, "stub"), *opnum = value(r, "opnum");
	size_t n = hex != NULL ? strlen(hex) / 2 : 0;
	uint8_t *in = talloc_array(mem, uint8_t, n + 1);
	bool big;
	DATA_BLOB out;
	if (!from_hex(hex, in, n) || opnum == NULL) {
		fail("wrong", 0, "stub or opnum");
		return;
	}
	if (!call(c, mem, strtoul(opnum, NULL, 10), in, n, &out, &big)) return;
	printf("{\"ok\": true, \"stub\": \"");
	for (size_t i = 0; i < out.length; i++) printf("%02x", out.data[i]);
	printf("\"}\n");
}

/* One echo under way. Its bytes are its own: the runtime reads them when it sends, not when it is called. */
struct echo {
	struct echo *next;
	struct tevent_req *request;
	uint8_t *in;
	size_t size;
};

static struct echo *send_echo(struct connection *c, TALLOC_CTX *mem, uint32_t opnum, size_t size, unsigned number)
{
	struct echo *e = talloc_zero(mem, struct echo);
	e->size = size;
	e->in = talloc_array(e, uint8_t, size + 1);
	uint32_t x = number * 2654435761u + 1; /* a xorshift: no two echoes and no two fragments are alike */
	for (size_t i = 0; i < size; i++) {
		x ^= x << 13, x ^= x >> 17, x ^= x << 5;
		e->in[i] = x;
	}
	e->request = dcerpc_binding_handle_raw_call_send(e, events, c->pipe->binding_handle, NULL, opnum, 0, e->in, size);
	return e;
}

static void op_echo(struct connection *c, TALLOC_CTX *mem, const struct request *r)
{
	static unsigned number;
	const char *opnum = value(r, "opnum"), *sizes = value(r, "sizes");
	struct echo *first = NULL, **last = &first;
	c->pipe->last_fault_code = 0;
	for (char *rest = (char *)sizes; rest != NULL && *rest != 0; rest += strspn(rest, ",")) {
		size_t size = strtoul(rest, &rest, 10);
		*last = send_echo(c, mem, opnum ? strtoul(opnum, NULL, 10) : DEFAULT_ECHO, size, ++number);
		last = &(*last)->next;
	}
	size_t total = 0;
	NTSTATUS failed = NT_STATUS_OK;
	bool differs = false;
	for (struct echo *e = first; e != NULL; e = e->next) {
		DATA_BLOB out = {0};
		uint32_t flags = 0;
		NTSTATUS status = NT_STATUS_INTERNAL_ERROR;
		if (tevent_req_poll(e->request, events))
			status = dcerpc_binding_handle_raw_call_recv(e->request, mem, &out.data, &out.length, &flags);
		if (!NT_STATUS_IS_OK(status)) {
			if (NT_STATUS_IS_OK(failed)) failed = status;
			continue; /* wait for the others: the next request begins with nothing under way */
		}
		differs = differs || out.length != e->size || memcmp(out.data, e->in, e->size) != 0;
		total += out.length;
	}
	if (!NT_STATUS_IS_OK(failed)) fail_nt(failed, c->pipe->last_fault_code);
	else if (differs) fail("wrong", 0, "an echo differs");
	else printf("{\"ok\": true, \"size\": %zu}\n", total);
}

static void answer(const struct request *r)
{
	struct connection *c = find(r->connection);
	if (strcmp(r->op, "connect") == 0 && c == NULL) {
		op_connect(r);
		return;
	}
	if (c == NULL) {
		fail("wrong", 0, "no such connection");
		return;
	}
	TALLOC_CTX *mem = talloc_new(NULL);
	if (strcmp(r->op, "bind") == 0) op_bind(c, mem, r);
	else if (strcmp(r->op, "unbind") == 0) op_unbind(c, mem, r);
	else if (strcmp(r->op, "echo") == 0) op_echo(c, mem, r);
	else if (strcmp(r->op, "refer") == 0) op_refer(c, mem, r);
	else if (strcmp(r->op, "close") == 0) {
		forget(c);
		printf("{\"ok\": true}\n");
	} else fail("wrong", 0, "no such operation");
	talloc_free(mem);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: nspi-client SMB.CONF\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	events = tevent_context_init(NULL);
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	tevent_loop_allow_nesting(events);
	config = loadparm_init_global(false);
	if (!lpcfg_load(config, argv[1])) {
		fprintf(stderr, "cannot load %s\n", argv[1]);
		return 1;
	}
	dcerpc_init();
	char *line = NULL;
	size_t size = 0;
	while (getline(&line, &size, stdin) > 0) {
		struct request r;
		if (split(line, &r)) answer(&r);
		else fail("wrong", 0, "a request is: operation, connection, key=value, separated by tabs");
	}
	return 0;
}
