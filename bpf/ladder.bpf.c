/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Programs that do nothing: `spanwire doctor` loads and attaches them to see which lower tiers of the capture ladder
 * this kernel would allow. T1 is probed with the real programs.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* T2: trampolines on socket functions, Linux 5.5+, where the kernel is built with ftrace trampolines. */
SEC("fexit/inet_sendmsg")
int fexit_inet_sendmsg(void *context)
{
	return 0;
}

/* T3: system call tracepoints. */
SEC("tracepoint/syscalls/sys_exit_write")
int tracepoint_sys_exit_write(void *context)
{
	return 0;
}
