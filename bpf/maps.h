/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The maps, and the structs in them that user space does not see. Every program file includes this one and the linker
 * keeps one copy of each map (__weak). Sizes that depend on the machine or on the configuration are set by the addon
 * before the load: those of `scratch`, `control` and the rings in `shards`.
 */
#ifndef SPANWIRE_MAPS_H
#define SPANWIRE_MAPS_H

#include "kernel.h"
#include "wire.h"

#define IOVECS_MAX 128
#define PROCESSES_MAX 32768
#define IGNORED_MAX 65536
#define OWN_MAX 1024
#define BATCHES_MAX 4096
#define CONTROL_RING SPANWIRE_SHARDS_MAX

/* One ring buffer for each worker; the inner map here is only a pattern, the addon puts the real ones in. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SPANWIRE_SHARDS_MAX);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_RINGBUF);
			__uint(max_entries, 1 << 16);
		});
} shards __weak SEC(".maps");

/* Records about processes: exec, exit, listen. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} control __weak SEC(".maps");

/* Records tried on each ring, each on a cache line of its own; the last one is the control ring's. */
struct sequence {
	__u64 next;
	__u64 padding[7];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SPANWIRE_SHARDS_MAX + 1);
	__type(key, __u32);
	__type(value, struct sequence);
} sequences __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct spanwire_counters);
} counters __weak SEC(".maps");

enum verdict {
	DESELECTED = 0, /* by user space: ports do not select it again */
	SELECTED = 1,
};

/* tgid → verdict. Filled by user space, by ports and by fork; emptied by exit. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROCESSES_MAX);
	__type(key, __u32);
	__type(value, __u8);
} processes __weak SEC(".maps");

/* Local ports whose processes are selected: one bit for each. */
struct port_set {
	__u64 words[65536 / 64];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct port_set);
} ports __weak SEC(".maps");

/*
 * Verdicts by connection (socket cookie): 1 when user space is done with it, 0 when it wants it again. An entry moves
 * into the connection's state when it is met.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, IGNORED_MAX);
	__type(key, __u64);
	__type(value, __u8);
} ignored __weak SEC(".maps");

/* Incremented by user space after it writes to `ignored`: until then nobody looks there twice. */
struct verdicts {
	__u32 generation;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct verdicts);
} verdicts __weak SEC(".maps");

/* An end of a connection. netns is 0 for addresses that mean the same in every namespace of the node. */
struct endpoint {
	__u8 address[16];
	__u32 netns;
	__u16 port;
	__u16 family;
};

/* Local ends of the connections the agent opened: their far ends on this node are not captured either. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, OWN_MAX);
	__type(key, struct endpoint);
	__type(value, __u8);
} own __weak SEC(".maps");

/* Bits of connection.state; the lower 16 are enum spanwire_flag as they go into every record. */
enum connection_state {
	CONNECTION_FLAGS = 0xffff,
	CONNECTION_EMITTED = 1 << 16, /* a data record was tried */
	CONNECTION_OWN = 1 << 17,     /* an end of one of the agent's connections */
	CONNECTION_IGNORED = 1 << 18,
	CONNECTION_EOF_IN = 1 << 19,  /* reported */
	CONNECTION_EOF_OUT = 1 << 20, /* our FIN is on its way; end_out is set */
};

/* What is known of a socket, kept with it by the kernel. Changed by several CPUs: state by atomic operations only. */
struct connection {
	__u64 cgroup;     /* of the process that last moved data */
	__u32 tgid;       /* the same */
	__u32 state;      /* enum connection_state */
	__u32 shard;      /* number + 1; 0 before the first payload */
	__u32 origin[2];  /* by direction */
	__u32 end_out;    /* write_seq before our FIN */
	__u32 generation; /* of the verdicts this connection has seen */
	__u32 padding;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connection);
} connections __weak SEC(".maps");

struct iovec {
	__u64 base;
	__u64 length;
};

/*
 * Where a record is put together, one for each CPU; programs that interrupts can run must not use it. The payload is
 * twice the maximum so that the verifier accepts any bounded piece at any bounded offset. A PERCPU_ARRAY would end at
 * 32 KiB.
 */
struct scratch {
	struct spanwire_record record;
	__u8 payload[2 * SPANWIRE_PAYLOAD_MAX];
	struct iovec iovecs[IOVECS_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SPANWIRE_CPUS_MAX);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch __weak SEC(".maps");

/* Which message of a sendmmsg or recvmmsg a thread is at. */
struct batch {
	__u64 messages; /* address of the array */
	__u64 next;     /* index */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BATCHES_MAX);
	__type(key, __u32);
	__type(value, struct batch);
} batches __weak SEC(".maps");

/* Set by user space before the load and constant for the verifier; defined in wire.bpf.c. */
extern const volatile struct spanwire_options options;

#endif
