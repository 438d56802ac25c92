/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The kernel's structs, with only the fields used here. preserve_access_index makes every access a CO-RE relocation:
 * the loader finds the field in the running kernel's BTF by its name, so order, offsets and all other fields are left
 * out, and anonymous unions and structs are flattened.
 * https://docs.kernel.org/bpf/libbpf/libbpf_overview.html#bpf-co-re-compile-once-run-everywhere
 */
#ifndef SPANWIRE_KERNEL_H
#define SPANWIRE_KERNEL_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

/* Constants that are ABI, or have not moved since the first kernel these programs load on. */
enum {
	AF_INET = 2,
	AF_INET6 = 10,

	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_FIN_WAIT1 = 4,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,

	MSG_OOB = 0x1,
	MSG_PEEK = 0x2,
	MSG_TRUNC = 0x20,
	MSG_ERRQUEUE = 0x2000,

	PF_IO_WORKER = 0x00000010,
	PF_KTHREAD = 0x00200000,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

enum sock_flags {
	SOCK_DEAD,
	SOCK_DONE, /* the peer's FIN has arrived */
};

struct in6_addr {
	__u8 bytes[16];
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags; /* bits numbered by enum sock_flags */
};

struct sock {
	struct sock_common __sk_common;
};

struct inet_sock {
	__be16 inet_sport;
};

struct tcp_ulp_ops;

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	const struct tcp_ulp_ops *icsk_ulp_ops;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 copied_seq; /* next byte to hand to the process */
	__u32 rcv_nxt;    /* next byte expected from the peer */
	__u32 write_seq;  /* next byte the process will send */
	__u64 bytes_sent; /* payload given to IP so far */
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live; /* threads that have not exited */
};

struct thread_info {
	__u32 status; /* x86: TS_COMPAT */
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	int pid;
	int tgid;
	struct signal_struct *signal;
};

struct linux_binprm {
	const char *filename;
};

/* What a process was running when it entered the kernel; see syscall.h. */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long di, si, dx, r10, r8;
	unsigned long ax, orig_ax;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	__u64 regs[31];
	__u64 pstate;
	__u64 orig_x0;
	__s32 syscallno;
};
#else
#error "the syscall arguments of this architecture are not described"
#endif

#pragma clang attribute pop

#endif
