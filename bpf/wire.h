/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The record: what the kernel side hands to user space, and the only definition of it. The BPF programs and the
 * addon include this file; the TypeScript offsets (host/kernel/layout.ts) are generated from its BTF by the build.
 *
 * A record is this header followed by `captured` payload bytes, padded with nothing: the ring buffer aligns the
 * next one to 8 bytes, and so does the addon's drain().
 */
#ifndef SPANWIRE_WIRE_H
#define SPANWIRE_WIRE_H

#ifdef __cplusplus
#define SPANWIRE_ASSERT static_assert
#else
#define SPANWIRE_ASSERT _Static_assert
#endif

enum spanwire_limit {
	SPANWIRE_WIRE_VERSION = 1,
	/* Payload copied from one call, at most. A power of two: the BPF side bounds offsets with PAYLOAD_MAX - 1. */
	SPANWIRE_PAYLOAD_MAX = 16384,
	SPANWIRE_PAYLOAD_DEFAULT = 4096,
	SPANWIRE_SHARDS_MAX = 64,
	SPANWIRE_CPUS_MAX = 1024
};

enum spanwire_kind {
	SPANWIRE_DATA = 0,  /* bytes moved through a socket */
	SPANWIRE_EOF = 1,   /* no more bytes in this direction; position is the end of the stream */
	SPANWIRE_CLOSE = 2, /* the socket is gone; position and end_in are the ends of OUT and IN */
	SPANWIRE_EXEC = 3,  /* control ring: a process became another program; the payload is its path */
	SPANWIRE_EXIT = 4,  /* control ring: the last thread of a process ended */
	SPANWIRE_LISTEN = 5 /* control ring: a process listens on local_port */
};

enum spanwire_direction {
	SPANWIRE_IN = 0, /* received by the process that owns the socket */
	SPANWIRE_OUT = 1 /* sent by it */
};

enum spanwire_flag {
	SPANWIRE_TRUNCATED = 1 << 0,    /* captured < moved because of the payload limit or of more than 16 iovecs */
	SPANWIRE_NO_PAYLOAD = 1 << 1,   /* no user buffer to read: sendfile, splice, io_uring, MSG_TRUNC */
	SPANWIRE_FAULT = 1 << 2,        /* the user buffer could not be read to its end */
	SPANWIRE_ROLE_CLIENT = 1 << 3,  /* this side opened the connection (seen in the handshake) */
	SPANWIRE_ROLE_SERVER = 1 << 4,  /* this side accepted it; neither flag: older than the agent */
	SPANWIRE_ORIGIN_KNOWN = 1 << 5, /* `origin` is the position of the direction's first byte */
	SPANWIRE_KTLS = 1 << 6          /* an upper-layer protocol sits on the socket: positions skip its framing */
};

/*
 * Every field is naturally aligned and the padding is written out. Addresses are in network byte order, IPv4 in the
 * first four bytes. Ports are in host byte order. An IPv4-mapped IPv6 socket is AF_INET: that is what it speaks, and
 * so both ends of a connection carry the same addresses.
 *
 * EOF and CLOSE records may come from an interrupt, where the current task is anyone: their tgid and cgroup are those
 * of the connection's last data record and their tid is 0. Both follow data records only; a connection that user
 * space asked to ignore still gets its CLOSE.
 */
struct spanwire_record {
	__u64 connection;   /*   0 socket cookie: unique for the life of the kernel */
	__u64 timestamp_ns; /*   8 CLOCK_MONOTONIC at the end of the call */
	__u64 sequence;     /*  16 counts the records tried on this ring, delivered or lost, from 0 */
	__u64 cgroup;       /*  24 cgroup v2 id of the current task */
	__u32 length;       /*  32 of the whole record: header and payload */
	__u32 captured;     /*  36 payload bytes that follow the header */
	__u32 moved;        /*  40 bytes the call moved; moved - captured is a gap at the end */
	__u32 position;     /*  44 TCP sequence number of the first byte moved (wraps at 2^32) */
	__u32 origin;       /*  48 TCP sequence number of the first byte of the stream, if known */
	__u32 slot;         /*  52 small connection number, written by the addon; 0xffffffff in the kernel */
	__u32 tgid;         /*  56 process */
	__u32 tid;          /*  60 thread */
	__u32 netns;        /*  64 network namespace inode */
	__u16 flags;        /*  68 enum spanwire_flag */
	__u16 local_port;   /*  70 */
	__u16 remote_port;  /*  72 */
	__u8 kind;          /*  74 enum spanwire_kind */
	__u8 direction;     /*  75 enum spanwire_direction */
	__u8 family;        /*  76 AF_INET or AF_INET6 */
	__u8 type;          /*  77 SOCK_STREAM */
	__u16 cpu;          /*  78 */
	__u8 local[16];     /*  80 */
	__u8 remote[16];    /*  96 */
	__u32 end_in;       /* 112 CLOSE: position after the last byte the process received; otherwise zero */
	__u32 reserved[3];  /* 116 zero */
};

SPANWIRE_ASSERT(sizeof(struct spanwire_record) == 128, "the record header is 128 bytes");
SPANWIRE_ASSERT(__builtin_offsetof(struct spanwire_record, length) == 32, "no hidden padding");
SPANWIRE_ASSERT(__builtin_offsetof(struct spanwire_record, flags) == 68, "no hidden padding");
SPANWIRE_ASSERT(__builtin_offsetof(struct spanwire_record, local) == 80, "no hidden padding");

/* Per-CPU counters; the order is the order of Capture.counters() in native/index.d.ts. All count since load. */
struct spanwire_counters {
	__u64 records_tried;    /* records offered to a shard ring = sum of sequences */
	__u64 records_lost;     /* of these, refused because the ring was full */
	__u64 bytes_lost;       /* bytes moved by the lost data records */
	__u64 bytes_moved;      /* bytes moved by all data records tried */
	__u64 bytes_captured;   /* payload bytes in the records delivered */
	__u64 control_lost;     /* records the control ring refused */
	__u64 filtered_process; /* calls of processes that are not selected */
	__u64 filtered_socket;  /* calls on sockets that are not TCP over IPv4/IPv6 */
	__u64 filtered_own;     /* calls on the far end of the agent's own connections */
	__u64 filtered_verdict; /* calls on connections user space asked to ignore */
	__u64 peeked;           /* MSG_PEEK, MSG_OOB, MSG_ERRQUEUE reads: nothing of the stream consumed */
	__u64 no_payload;       /* data records without a user buffer */
	__u64 faults;           /* user buffers that could not be read to their end */
	__u64 storage_failed;   /* sockets whose state could not be kept */
};

/* What user space decides before the programs are loaded. */
struct spanwire_options {
	__u32 shards;        /* rings in use, 1..SPANWIRE_SHARDS_MAX */
	__u32 payload_bytes; /* payload kept of one call, 0..SPANWIRE_PAYLOAD_MAX */
	__u32 every_process; /* 1: capture whatever is not the agent; 0: selected processes only */
	__u32 own_tgid;      /* the agent */
};

#endif
