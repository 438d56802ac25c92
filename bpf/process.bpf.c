// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * The life of processes: selection follows fork at once, in the kernel, and user space hears of exec and exit.
 *
 * tp_btf/sched_process_fork, sched_process_exec, sched_process_exit: Linux 5.5, as for all tp_btf programs.
 */
#include "record.h"

static __always_inline void describe_process(struct spanwire_record *record, enum spanwire_kind kind)
{
	__u64 id = bpf_get_current_pid_tgid();

	__builtin_memset(record, 0, sizeof(*record));
	record->timestamp_ns = bpf_ktime_get_ns();
	record->cgroup = bpf_get_current_cgroup_id();
	record->slot = NO_SLOT;
	record->tgid = id >> 32;
	record->tid = id;
	record->kind = kind;
	record->cpu = bpf_get_smp_processor_id();
}

/* A new process has its parent's verdict, whichever it is; a new thread changes nothing. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(forked, struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = parent->tgid, child_tgid = child->tgid;
	__u8 *verdict, copy;

	if (parent_tgid == child_tgid)
		return 0;
	verdict = bpf_map_lookup_elem(&processes, &parent_tgid);
	if (!verdict)
		return 0;
	copy = *verdict;
	bpf_map_update_elem(&processes, &child_tgid, &copy, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(executed, struct task_struct *task, int before, struct linux_binprm *program)
{
	struct scratch *scratch = scratch_of_cpu();
	struct spanwire_record *record;
	long length;

	if (!scratch)
		return 0;
	record = &scratch->record;
	describe_process(record, SPANWIRE_EXEC);
	length = bpf_probe_read_kernel_str(scratch->payload, SPANWIRE_PAYLOAD_DEFAULT, program->filename);
	if (length > 1 && length <= SPANWIRE_PAYLOAD_DEFAULT)
		record->captured = record->moved = length - 1;
	submit_control(record, length_of(record));
	return 0;
}

/* The count of live threads is decreased before the tracepoint: zero says this is the last one. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(exited, struct task_struct *task)
{
	struct spanwire_record record;
	__u32 tgid = task->tgid;

	if (task->signal->live.counter)
		return 0;
	bpf_map_delete_elem(&processes, &tgid);
	describe_process(&record, SPANWIRE_EXIT);
	submit_control(&record, sizeof(record));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
