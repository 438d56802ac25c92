// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * What moves through sockets: one record for each call that sent or received bytes of a TCP stream.
 *
 * tp_btf/sock_send_length, sock_recv_length: Linux 6.3, later than every helper used here.
 *
 * The tracepoints come after the call, with the socket and what the call returned, whoever made the call: a syscall,
 * sendfile, io_uring. The position is that of the socket now minus the bytes moved. Two threads on one socket may so
 * swap their positions; it shows as a gap and an overlap.
 */
#include "payload.h"

static __always_inline struct tcp_sock *tcp_of(struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	return family == AF_INET || family == AF_INET6 ? bpf_skc_to_tcp_sock(sk) : NULL;
}

/* Whether the socket was accepted at a selected port, as far as is known: it may be older than the programs. */
static __always_inline bool serves_selected_port(struct sock *sk)
{
	struct connection *connection;

	if (!port_selected(sk->__sk_common.skc_num) || !tcp_of(sk))
		return false;
	connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
	return !connection || !(connection->state & SPANWIRE_ROLE_CLIENT);
}

/* A selected process, or one that serves a selected port and is selected by that from now on. */
static __always_inline bool process_selected(struct sock *sk, __u32 tgid)
{
	__u8 *verdict, selected = SELECTED;

	if (options.every_process)
		return true;
	verdict = bpf_map_lookup_elem(&processes, &tgid);
	if (verdict)
		return *verdict;
	if (!serves_selected_port(sk))
		return false;
	bpf_map_update_elem(&processes, &tgid, &selected, BPF_NOEXIST);
	return true;
}

/* User space's verdicts are looked at once for each time they changed. */
static __always_inline bool is_ignored(struct sock *sk, struct connection *connection)
{
	__u32 zero = 0;
	struct verdicts *now = bpf_map_lookup_elem(&verdicts, &zero);
	__u64 cookie;
	__u8 *ignore;

	if (!now || now->generation == connection->generation)
		return connection->state & CONNECTION_IGNORED;
	connection->generation = now->generation;
	cookie = bpf_get_socket_cookie(sk);
	ignore = bpf_map_lookup_elem(&ignored, &cookie);
	if (ignore && *ignore)
		mark(connection, CONNECTION_IGNORED);
	else if (ignore)
		unmark(connection, CONNECTION_IGNORED);
	if (ignore)
		bpf_map_delete_elem(&ignored, &cookie);
	return connection->state & CONNECTION_IGNORED;
}

static __always_inline bool connection_wanted(struct sock *sk, struct connection *connection)
{
	if (connection->state & CONNECTION_OWN) {
		count(filtered_own, 1);
		return false;
	}
	if (is_ignored(sk, connection)) {
		count(filtered_verdict, 1);
		return false;
	}
	return true;
}

static __always_inline struct connection *wanted_connection(struct sock *sk)
{
	struct connection *connection = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!connection) {
		count(storage_failed, 1);
		return NULL;
	}
	return connection_wanted(sk, connection) ? connection : NULL;
}

static __always_inline void emit_data(struct sock *sk, struct tcp_sock *tcp, struct connection *connection,
                                      struct source *source, __u32 direction, __u32 moved)
{
	struct scratch *scratch = scratch_of_cpu();
	__u64 id = bpf_get_current_pid_tgid();
	struct spanwire_record *record;

	if (!scratch)
		return;
	record = &scratch->record;
	connection->tgid = id >> 32;
	connection->cgroup = bpf_get_current_cgroup_id();
	mark(connection, CONNECTION_EMITTED);
	describe(record, sk, tcp, connection, SPANWIRE_DATA, direction);
	record->tid = id;
	record->moved = moved;
	record->position = (direction == SPANWIRE_OUT ? tcp->write_seq : received_position(sk, tcp)) - moved;
	copy_payload(scratch, source);
	count(bytes_moved, moved);
	submit(shard_of(connection, id >> 32), record, length_of(record));
}

/* A read that returned nothing because the peer has sent its FIN; not one that asked for nothing. */
static __always_inline void emit_end_of_input(struct sock *sk, struct tcp_sock *tcp, struct connection *connection)
{
	__u32 position = received_position(sk, tcp);

	if (position == tcp->copied_seq || !(connection->state & CONNECTION_EMITTED))
		return;
	if (!(__sync_fetch_and_or(&connection->state, CONNECTION_EOF_IN) & CONNECTION_EOF_IN))
		submit_end(sk, tcp, connection, SPANWIRE_EOF, SPANWIRE_IN, position, 0);
}

/* The gates, the cheapest and most decisive first; then the record. */
static __always_inline int on_call(struct sock *sk, int moved, int flags, __u32 direction)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 tgid = current_tgid();
	struct connection *connection;
	struct source source;
	struct tcp_sock *tcp;

	if (tgid == options.own_tgid)
		return 0;
	if (moved < 0) {
		forget_batch(task);
		return 0;
	}
	if (!process_selected(sk, tgid)) {
		count(filtered_process, 1);
		return 0;
	}
	tcp = tcp_of(sk);
	if (!tcp) {
		count(filtered_socket, 1);
		return 0;
	}
	connection = wanted_connection(sk);
	if (!connection)
		return 0;
	if (flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE)) {
		count(peeked, 1);
		return 0;
	}
	source = source_of_call(task, direction, moved);
	if (flags & MSG_TRUNC)
		source.known = false;
	if (moved > 0)
		emit_data(sk, tcp, connection, &source, direction, moved);
	else if (direction == SPANWIRE_IN)
		emit_end_of_input(sk, tcp, connection);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sent, struct sock *sk, int moved)
{
	return on_call(sk, moved, 0, SPANWIRE_OUT);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(received, struct sock *sk, int moved, int flags)
{
	return on_call(sk, moved, flags, SPANWIRE_IN);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
