/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * From a socket to a record, and from a record to its ring. The accounting rule: a record is tried once, gets a
 * sequence number whether the ring takes it or not, and a refusal is counted on the CPU where it happened.
 */
#ifndef SPANWIRE_RECORD_H
#define SPANWIRE_RECORD_H

#include "maps.h"

#define NO_SLOT 0xffffffff

/* Atomic although per CPU: an interrupt may count between the load and the store of the task it interrupts. */
#define count(field, n)                                                                 \
	do {                                                                            \
		__u32 zero = 0;                                                         \
		struct spanwire_counters *mine = bpf_map_lookup_elem(&counters, &zero); \
		if (mine)                                                               \
			__sync_fetch_and_add(&mine->field, n);                          \
	} while (0)

static __always_inline __u32 current_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

static __always_inline struct scratch *scratch_of_cpu(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&scratch, &cpu);
}

static __always_inline bool port_selected(__u16 port)
{
	__u32 zero = 0;
	struct port_set *set = bpf_map_lookup_elem(&ports, &zero);

	return set && set->words[port / 64] >> (port % 64) & 1;
}

/* IPv4-mapped addresses become IPv4 ones. Returns the family. */
static __always_inline __u16 read_address(__u8 *address, __u16 family, __be32 v4, const struct in6_addr *v6)
{
	__u32 *words = (__u32 *)address;

	if (family == AF_INET) {
		words[0] = v4;
		return AF_INET;
	}
	bpf_probe_read_kernel(address, 16, v6);
	if (words[0] || words[1] || words[2] != bpf_htonl(0xffff))
		return AF_INET6;
	words[0] = words[3];
	words[2] = words[3] = 0;
	return AF_INET;
}

static __always_inline void describe_addresses(struct spanwire_record *record, struct sock *sk)
{
	struct sock_common *common = &sk->__sk_common;
	__u16 family = common->skc_family;

	record->family = read_address(record->local, family, common->skc_rcv_saddr, &common->skc_v6_rcv_saddr);
	read_address(record->remote, family, common->skc_daddr, &common->skc_v6_daddr);
	record->netns = common->skc_net.net->ns.inum;
	record->type = 1; /* SOCK_STREAM */
}

/* The port of the wire, not skc_num: that is 0 already when a closed socket is destroyed. */
static __always_inline void describe_ports(struct spanwire_record *record, struct sock *sk, struct tcp_sock *tcp)
{
	record->local_port = bpf_ntohs(tcp->inet_conn.icsk_inet.inet_sport);
	record->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
}

static __always_inline void describe(struct spanwire_record *record, struct sock *sk, struct tcp_sock *tcp,
                                     struct connection *connection, __u8 kind, __u8 direction)
{
	__builtin_memset(record, 0, sizeof(*record));
	record->connection = bpf_get_socket_cookie(sk);
	record->timestamp_ns = bpf_ktime_get_ns();
	record->cgroup = connection->cgroup;
	record->tgid = connection->tgid;
	record->origin = connection->origin[direction & 1];
	record->slot = NO_SLOT;
	record->flags = connection->state & CONNECTION_FLAGS;
	if (tcp->inet_conn.icsk_ulp_ops)
		record->flags |= SPANWIRE_KTLS;
	record->kind = kind;
	record->direction = direction;
	record->cpu = bpf_get_smp_processor_id();
	describe_addresses(record, sk);
	describe_ports(record, sk, tcp);
}

/* The length of a record with its payload, in bounds the verifier can see. */
static __always_inline __u64 length_of(struct spanwire_record *record)
{
	__u64 captured = record->captured;

	barrier_var(captured);
	if (captured > SPANWIRE_PAYLOAD_MAX)
		captured = SPANWIRE_PAYLOAD_MAX;
	return sizeof(*record) + captured;
}

/* Sets bits of the state; no locked instruction where they are set already, which is the rule on the hot path. */
static __always_inline void mark(struct connection *connection, __u32 bits)
{
	if ((connection->state & bits) != bits)
		__sync_fetch_and_or(&connection->state, bits);
}

static __always_inline void unmark(struct connection *connection, __u32 bits)
{
	if (connection->state & bits)
		__sync_fetch_and_and(&connection->state, ~bits);
}

static __always_inline __u64 next_sequence(__u32 ring)
{
	struct sequence *sequence = bpf_map_lookup_elem(&sequences, &ring);

	return sequence ? __sync_fetch_and_add(&sequence->next, 1) : 0;
}

/* The shard is that of the process that moved the first payload, for the life of the connection. */
static __always_inline __u32 shard_of(struct connection *connection, __u32 tgid)
{
	__u32 chosen, before, shards_used = options.shards;

	if (connection->shard)
		return connection->shard - 1;
	if (!shards_used)
		return 0;
	chosen = ((tgid * 0x9e3779b1u) >> 16) % shards_used + 1;
	before = __sync_val_compare_and_swap(&connection->shard, 0, chosen);
	return (before ? before : chosen) - 1;
}

/* Hands `length` bytes from `record` to the shard's ring; never wakes the reader, which polls. */
static __always_inline void submit(__u32 shard, struct spanwire_record *record, __u64 length)
{
	void *ring = bpf_map_lookup_elem(&shards, &shard);

	record->length = length;
	record->sequence = next_sequence(shard);
	count(records_tried, 1);
	if (ring && !bpf_ringbuf_output(ring, record, length, BPF_RB_NO_WAKEUP)) {
		count(bytes_captured, record->captured);
		return;
	}
	count(records_lost, 1);
	if (record->kind == SPANWIRE_DATA)
		count(bytes_lost, record->moved);
}

static __always_inline void submit_control(struct spanwire_record *record, __u64 length)
{
	record->length = length;
	record->sequence = next_sequence(CONTROL_RING);
	if (bpf_ringbuf_output(&control, record, length, BPF_RB_NO_WAKEUP))
		count(control_lost, 1);
}

/* A record without payload, put together on the stack: also where the scratch may be in use. */
static __always_inline void submit_end(struct sock *sk, struct tcp_sock *tcp, struct connection *connection, __u8 kind,
                                       __u8 direction, __u32 position, __u32 end_in)
{
	struct spanwire_record record;

	describe(&record, sk, tcp, connection, kind, direction);
	record.position = position;
	record.end_in = end_in;
	submit(shard_of(connection, connection->tgid), &record, sizeof(record));
}

/*
 * Where the received stream stands. The kernel counts the peer's FIN as a byte, and a read that reaches it takes it
 * along: then copied_seq has gone one too far.
 */
static __always_inline __u32 received_position(struct sock *sk, struct tcp_sock *tcp)
{
	__u32 position = tcp->copied_seq;
	bool fin_read = sk->__sk_common.skc_flags >> SOCK_DONE & 1 && position == tcp->rcv_nxt;

	return position - fin_read;
}

#endif
