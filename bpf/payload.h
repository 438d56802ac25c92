/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * From a syscall's arguments to payload bytes in the scratch: one flat buffer, or up to 128 iovecs.
 */
#ifndef SPANWIRE_PAYLOAD_H
#define SPANWIRE_PAYLOAD_H

#include "record.h"
#include "syscall.h"

/* Offsets in struct user_msghdr and struct mmsghdr: ABI of 64-bit processes. */
#define MSGHDR_IOVECS 16
#define MMSGHDR_SIZE 64

/* Where the bytes of one call lie in user memory. */
struct source {
	__u64 address; /* of the bytes, or of the iovecs */
	__u64 iovecs;  /* their number; 0: address is that of the bytes */
	bool known;
};

static __always_inline struct source source_of_iovecs(__u64 address, __u64 iovecs)
{
	struct source source = {address, iovecs, iovecs > 0};
	struct iovec only;

	if (iovecs == 1 && !bpf_probe_read_user(&only, sizeof(only), (void *)address)) {
		source.address = only.base;
		source.iovecs = 0;
	}
	return source;
}

static __always_inline struct source source_of_message(__u64 message)
{
	struct source none = {};
	__u64 iov[2];

	if (bpf_probe_read_user(iov, sizeof(iov), (void *)(message + MSGHDR_IOVECS)))
		return none;
	return source_of_iovecs(iov[0], iov[1]);
}

/* Bytes an iovec array asks for, as far as 128 entries; a function of its own so that it is verified once. */
__noinline __u64 requested_bytes(__u64 address, __u64 iovecs)
{
	struct iovec one;
	__u64 sum = 0;

	for (__u32 i = 0; i < IOVECS_MAX && i < iovecs; i++) {
		if (bpf_probe_read_user(&one, sizeof(one), (void *)(address + i * sizeof(one))))
			break;
		sum += one.length;
	}
	return sum;
}

/*
 * The tracepoints fire once for each message of sendmmsg and recvmmsg, so the thread's place in the array is kept.
 * The kernel stops a batch at the end of the array, at an error, and at a message it could send only in part: there
 * the place is forgotten. A timeout stops it unseen, and then there is no telling.
 */
static __always_inline struct source source_in_batch(struct call *call, __u32 direction, int moved)
{
	struct batch batch = {call->argument[1], 0};
	__u32 tid = bpf_get_current_pid_tgid();
	struct batch *before = bpf_map_lookup_elem(&batches, &tid);
	struct source source = {};
	__u64 iov[2] = {};

	if (direction == SPANWIRE_IN && call->argument[4])
		return source;
	if (before && before->messages == batch.messages)
		batch.next = before->next;
	bpf_probe_read_user(iov, sizeof(iov), (void *)(batch.messages + batch.next * MMSGHDR_SIZE + MSGHDR_IOVECS));
	batch.next++;
	if (batch.next >= call->argument[2] ||
	    (direction == SPANWIRE_OUT && requested_bytes(iov[0], iov[1]) > (__u64)moved))
		bpf_map_delete_elem(&batches, &tid);
	else
		bpf_map_update_elem(&batches, &tid, &batch, BPF_ANY);
	return source_of_iovecs(iov[0], iov[1]);
}

static __always_inline void forget_batch(struct task_struct *task)
{
	struct call call = current_call(task);
	__u32 tid = bpf_get_current_pid_tgid();

	if (call.number == NR_sendmmsg || call.number == NR_recvmmsg)
		bpf_map_delete_elem(&batches, &tid);
}

static __always_inline struct source source_of_call(struct task_struct *task, __u32 direction, int moved)
{
	struct call call = current_call(task);
	struct source source = {};

	switch (direction == SPANWIRE_OUT ? send_shape(call.number) : receive_shape(call.number)) {
	case SHAPE_BYTES:
		source.address = call.argument[1];
		source.known = true;
		return source;
	case SHAPE_IOVECS:
		return source_of_iovecs(call.argument[1], call.argument[2]);
	case SHAPE_MESSAGE:
		return source_of_message(call.argument[1]);
	case SHAPE_MESSAGES:
		return source_in_batch(&call, direction, moved);
	default:
		return source;
	}
}

/* 1..SPANWIRE_PAYLOAD_MAX from a number that is in that range, in a form the verifier and clang both leave alone. */
static __always_inline __u64 bounded_length(__u64 length)
{
	barrier_var(length);
	return ((length - 1) & (SPANWIRE_PAYLOAD_MAX - 1)) + 1;
}

static __always_inline __u64 bounded_offset(__u64 offset)
{
	barrier_var(offset);
	return offset & (SPANWIRE_PAYLOAD_MAX - 1);
}

/* Appends up to `wanted` bytes in all to the payload. False at a fault, or when there is nothing to go on for. */
static __always_inline bool append(struct scratch *scratch, struct iovec *iovec, __u32 wanted)
{
	__u64 captured = scratch->record.captured, length = iovec->length;

	if (captured >= wanted)
		return false;
	if (length > wanted - captured)
		length = wanted - captured;
	if (!length)
		return true;
	length = bounded_length(length);
	if (bpf_probe_read_user(scratch->payload + bounded_offset(captured), length, (void *)iovec->base)) {
		scratch->record.flags |= SPANWIRE_FAULT;
		return false;
	}
	scratch->record.captured += length;
	return true;
}

/*
 * Copies up to `wanted` (at most SPANWIRE_PAYLOAD_MAX) bytes from user iovecs into the scratch of this CPU. A global
 * function, so verified once and on its own. What it has copied so far is kept in the record and not in a variable:
 * what comes from memory looks the same in every round, and the verifier needs not follow each path through the loop.
 */
__noinline int gather(__u64 address, __u32 iovecs, __u32 wanted)
{
	struct scratch *scratch = scratch_of_cpu();

	if (!scratch)
		return 0;
	if (iovecs > IOVECS_MAX)
		iovecs = IOVECS_MAX;
	if (bpf_probe_read_user(scratch->iovecs, iovecs * sizeof(struct iovec), (void *)address)) {
		scratch->record.flags |= SPANWIRE_FAULT;
		return 0;
	}
	for (__u32 i = 0; i < IOVECS_MAX; i++)
		if (i >= iovecs || !append(scratch, &scratch->iovecs[i], wanted))
			break;
	return 0;
}

static __always_inline void copy_bytes(struct scratch *scratch, __u64 address, __u32 wanted)
{
	if (!wanted)
		return;
	if (bpf_probe_read_user(scratch->payload, bounded_length(wanted), (void *)address))
		scratch->record.flags |= SPANWIRE_FAULT;
	else
		scratch->record.captured = wanted;
}

/* Fills in captured and the flags that say why it is less than moved. */
static __always_inline void copy_payload(struct scratch *scratch, struct source *source)
{
	struct spanwire_record *record = &scratch->record;
	__u32 wanted = options.payload_bytes;

	if (!source->known) {
		record->flags |= SPANWIRE_NO_PAYLOAD;
		count(no_payload, 1);
		return;
	}
	if (wanted > record->moved)
		wanted = record->moved;
	if (source->iovecs)
		gather(source->address, source->iovecs, wanted);
	else
		copy_bytes(scratch, source->address, wanted);
	if (record->flags & SPANWIRE_FAULT)
		count(faults, 1);
	else if (record->captured < record->moved)
		record->flags |= SPANWIRE_TRUNCATED;
}

#endif
