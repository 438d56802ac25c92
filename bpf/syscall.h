/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Which syscall the current task is in, and where its user buffer lies: read from the registers saved at kernel entry
 * (bpf_task_pt_regs, Linux 5.15). The rule: when it is not certain that the socket operation at hand is the one the
 * registers describe, there is no buffer. That is so for
 *   - kernel threads and io_uring workers, whose registers are a copy of those of the thread that made them;
 *   - io_uring completions that run on the way out of another syscall: its result is in the registers already;
 *   - 32-bit processes, whose syscall numbers mean other things.
 */
#ifndef SPANWIRE_SYSCALL_H
#define SPANWIRE_SYSCALL_H

#include "kernel.h"

/* How a syscall names its buffer; the directions have syscalls of their own. */
enum shape {
	SHAPE_NONE,
	SHAPE_BYTES,    /* (fd, bytes, length) */
	SHAPE_IOVECS,   /* (fd, iovecs, count) */
	SHAPE_MESSAGE,  /* (fd, msghdr) */
	SHAPE_MESSAGES, /* (fd, mmsghdr array, count, flags, timeout) */
};

struct call {
	__u64 argument[5];
	__s64 number; /* -1: not a syscall we may look into */
};

#if defined(__TARGET_ARCH_x86)

#define ENOSYS 38
#define TS_COMPAT 0x2

enum {
	NR_read = 0,
	NR_write = 1,
	NR_readv = 19,
	NR_writev = 20,
	NR_sendto = 44,
	NR_recvfrom = 45,
	NR_sendmsg = 46,
	NR_recvmsg = 47,
	NR_recvmmsg = 299,
	NR_sendmmsg = 307,
	NR_preadv2 = 327,
	NR_pwritev2 = 328,
};

/* The entry code puts -ENOSYS where the result will be. */
static __always_inline struct call read_call(struct task_struct *task, struct pt_regs *regs)
{
	struct call call = {{regs->di, regs->si, regs->dx, regs->r10, regs->r8}, regs->orig_ax};

	if ((long)regs->ax != -ENOSYS || task->thread_info.status & TS_COMPAT)
		call.number = -1;
	return call;
}

#elif defined(__TARGET_ARCH_arm64)

#define PSR_MODE32_BIT 0x10

enum {
	NR_read = 63,
	NR_write = 64,
	NR_readv = 65,
	NR_writev = 66,
	NR_sendto = 206,
	NR_recvfrom = 207,
	NR_sendmsg = 211,
	NR_recvmsg = 212,
	NR_recvmmsg = 243,
	NR_sendmmsg = 269,
	NR_preadv2 = 286,
	NR_pwritev2 = 287,
};

/* The first argument stays in place until the result replaces it. */
static __always_inline struct call read_call(struct task_struct *task, struct pt_regs *regs)
{
	struct call call = {{regs->orig_x0, regs->regs[1], regs->regs[2], regs->regs[3], regs->regs[4]},
	                    regs->syscallno};

	if (regs->regs[0] != regs->orig_x0 || regs->pstate & PSR_MODE32_BIT)
		call.number = -1;
	return call;
}

#endif

static __always_inline struct call current_call(struct task_struct *task)
{
	struct call none = {{}, -1};

	if (task->flags & (PF_KTHREAD | PF_IO_WORKER))
		return none;
	return read_call(task, (struct pt_regs *)bpf_task_pt_regs(task));
}

static __always_inline enum shape send_shape(__s64 number)
{
	if (number == NR_write || number == NR_sendto)
		return SHAPE_BYTES;
	if (number == NR_writev || number == NR_pwritev2)
		return SHAPE_IOVECS;
	if (number == NR_sendmsg)
		return SHAPE_MESSAGE;
	return number == NR_sendmmsg ? SHAPE_MESSAGES : SHAPE_NONE;
}

static __always_inline enum shape receive_shape(__s64 number)
{
	if (number == NR_read || number == NR_recvfrom)
		return SHAPE_BYTES;
	if (number == NR_readv || number == NR_preadv2)
		return SHAPE_IOVECS;
	if (number == NR_recvmsg)
		return SHAPE_MESSAGE;
	return number == NR_recvmmsg ? SHAPE_MESSAGES : SHAPE_NONE;
}

#endif
