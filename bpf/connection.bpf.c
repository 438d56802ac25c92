// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The life of a connection around its data: who opened it, where its streams begin and end, when it is gone.
 *
 * tp_btf/inet_sock_set_state, tcp_destroy_sock: the tracepoints are of Linux 4.16 and 4.17; tp_btf needs 5.5, socket
 * storage in such programs 5.11, the socket cookie and atomics with a result 5.12.
 *
 * Most of this runs in interrupts, so no scratch and nothing of the current task, except where the comment says so.
 */
#include "record.h"

/* Loopback means another place in every network namespace; other addresses are the node's or a pod's own. */
static __always_inline bool is_loopback(struct endpoint *endpoint)
{
	const __u32 *words = (const __u32 *)endpoint->address;

	if (endpoint->family == AF_INET)
		return endpoint->address[0] == 127;
	return !words[0] && !words[1] && !words[2] && words[3] == bpf_htonl(1);
}

static __always_inline void finish_endpoint(struct endpoint *endpoint, struct sock *sk)
{
	if (is_loopback(endpoint))
		endpoint->netns = sk->__sk_common.skc_net.net->ns.inum;
}

static __always_inline struct endpoint local_endpoint(struct sock *sk, struct tcp_sock *tcp)
{
	struct sock_common *common = &sk->__sk_common;
	struct endpoint endpoint = {};

	endpoint.family =
		read_address(endpoint.address, common->skc_family, common->skc_rcv_saddr, &common->skc_v6_rcv_saddr);
	endpoint.port = bpf_ntohs(tcp->inet_conn.icsk_inet.inet_sport);
	finish_endpoint(&endpoint, sk);
	return endpoint;
}

static __always_inline struct endpoint remote_endpoint(struct sock *sk)
{
	struct sock_common *common = &sk->__sk_common;
	struct endpoint endpoint = {};

	endpoint.family = read_address(endpoint.address, common->skc_family, common->skc_daddr, &common->skc_v6_daddr);
	endpoint.port = bpf_ntohs(common->skc_dport);
	finish_endpoint(&endpoint, sk);
	return endpoint;
}

/* connect(): runs in the task that opens the connection. The socket may have had another connection before. */
static __always_inline void on_connect(struct connection *connection)
{
	bool is_own = current_tgid() == options.own_tgid;

	connection->state = SPANWIRE_ROLE_CLIENT | (is_own ? CONNECTION_OWN : 0);
}

/* Data that left with the handshake (TCP Fast Open) makes write_seq useless as the origin. */
static __always_inline void set_origins(struct tcp_sock *tcp, struct connection *connection)
{
	if (tcp->bytes_sent)
		return;
	connection->origin[SPANWIRE_IN] = tcp->copied_seq;
	connection->origin[SPANWIRE_OUT] = tcp->write_seq;
	mark(connection, SPANWIRE_ORIGIN_KNOWN);
}

/* The agent's own connections are listed at this end, and looked up at the other: the client is always first. */
static __always_inline void on_established(struct sock *sk, struct tcp_sock *tcp, struct connection *connection)
{
	struct endpoint endpoint;
	__u8 value = 1;

	set_origins(tcp, connection);
	if (connection->state & CONNECTION_OWN) {
		endpoint = local_endpoint(sk, tcp);
		bpf_map_update_elem(&own, &endpoint, &value, BPF_ANY);
	}
	if (connection->state & SPANWIRE_ROLE_CLIENT)
		return;
	mark(connection, SPANWIRE_ROLE_SERVER);
	endpoint = remote_endpoint(sk);
	if (bpf_map_lookup_elem(&own, &endpoint))
		mark(connection, CONNECTION_OWN);
}

static __always_inline bool is_reported(struct connection *connection)
{
	return connection->state & CONNECTION_EMITTED && !(connection->state & CONNECTION_IGNORED);
}

/* close() or shutdown(): the state changes before the FIN is queued, so write_seq is the end of the bytes. */
static __always_inline void on_output_closed(struct sock *sk, struct tcp_sock *tcp, struct connection *connection)
{
	connection->end_out = tcp->write_seq;
	if (__sync_fetch_and_or(&connection->state, CONNECTION_EOF_OUT) & CONNECTION_EOF_OUT)
		return;
	if (is_reported(connection))
		submit_end(sk, tcp, connection, SPANWIRE_EOF, SPANWIRE_OUT, connection->end_out, 0);
}

/* listen(): runs in the task that listens. A port without a number yet (no bind before) is of no use to anyone. */
static __always_inline void on_listen(struct sock *sk)
{
	struct spanwire_record record = {};
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32;
	__u8 selected = SELECTED;

	record.local_port = sk->__sk_common.skc_num;
	if (!record.local_port || tgid == options.own_tgid)
		return;
	if (port_selected(record.local_port))
		bpf_map_update_elem(&processes, &tgid, &selected, BPF_NOEXIST);
	record.connection = bpf_get_socket_cookie(sk);
	record.timestamp_ns = bpf_ktime_get_ns();
	record.cgroup = bpf_get_current_cgroup_id();
	record.slot = NO_SLOT;
	record.tgid = tgid;
	record.tid = id;
	record.kind = SPANWIRE_LISTEN;
	record.cpu = bpf_get_smp_processor_id();
	describe_addresses(&record, sk);
	submit_control(&record, sizeof(record));
}

static __always_inline struct connection *keep_connection(struct sock *sk)
{
	struct connection *connection = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!connection)
		count(storage_failed, 1);
	return connection;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(state_changed, struct sock *sk, int before, int now)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	struct connection *connection;

	if (!tcp)
		return 0;
	if (now == TCP_LISTEN) {
		on_listen(sk);
	} else if (now == TCP_SYN_SENT) {
		connection = keep_connection(sk);
		if (connection)
			on_connect(connection);
	} else if (now == TCP_ESTABLISHED) {
		connection = keep_connection(sk);
		if (connection)
			on_established(sk, tcp, connection);
	} else if (now == TCP_FIN_WAIT1 || now == TCP_LAST_ACK) {
		connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
		if (connection)
			on_output_closed(sk, tcp, connection);
	}
	return 0;
}

/* Not at the change to CLOSE: after that the process may still read what has arrived. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(destroyed, struct sock *sk)
{
	struct connection *connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);
	struct endpoint endpoint;
	__u32 end_out;

	if (!connection || !tcp)
		return 0;
	if (connection->state & CONNECTION_OWN && connection->state & SPANWIRE_ROLE_CLIENT) {
		endpoint = local_endpoint(sk, tcp);
		bpf_map_delete_elem(&own, &endpoint);
	}
	if (!(connection->state & CONNECTION_EMITTED))
		return 0;
	end_out = tcp->write_seq;
	barrier_var(end_out); /* or clang chooses the pointer first and the verifier sees one load of two kinds */
	if (connection->state & CONNECTION_EOF_OUT)
		end_out = connection->end_out;
	submit_end(sk, tcp, connection, SPANWIRE_CLOSE, SPANWIRE_OUT, end_out, received_position(sk, tcp));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
