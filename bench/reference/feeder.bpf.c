/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Fills a real ring buffer with prepared records: they lie one after the other in a map that user space has mapped, and
 * one run of this program (BPF_PROG_TEST_RUN) puts them all into the ring. So a bench drains what the agent drains, and
 * no process has to make traffic for it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "../../bpf/wire.h"

#define RECORD_MAX (sizeof(struct spanwire_record) + SPANWIRE_PAYLOAD_MAX)
#define RECORDS_MAX (1 << 20)

/* Set before the load, as the sizes of the two maps are. */
const volatile __u32 prepared_bytes = 2 * RECORD_MAX;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 1 << 16);
} prepared SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} ring SEC(".maps");

struct feed {
	__u32 at;
	__u32 end;
	__u32 refused;
};

static long feed_one(__u32 index, struct feed *feed)
{
	__u32 only = 0;
	__u32 at = feed->at;
	char *bytes = bpf_map_lookup_elem(&prepared, &only);

	if (!bytes || at >= feed->end || at > prepared_bytes - RECORD_MAX)
		return 1;
	struct spanwire_record *record = (struct spanwire_record *)(bytes + at);
	__u32 length = record->length;
	if (length < sizeof(*record) || length > RECORD_MAX) {
		feed->refused++;
		return 1;
	}
	if (bpf_ringbuf_output(&ring, record, length, BPF_RB_NO_WAKEUP))
		feed->refused++;
	feed->at = at + ((length + 7) & ~7u);
	return 0;
}

/* The context is the number of bytes prepared. Returns how many records the ring refused, or -1: not all were tried. */
SEC("syscall")
int feed_ring(__u32 *bytes)
{
	struct feed feed = {.end = *bytes};

	bpf_loop(RECORDS_MAX, feed_one, &feed, 0);
	return feed.at == feed.end ? (int)feed.refused : -1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
