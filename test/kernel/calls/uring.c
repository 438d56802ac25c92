// SPDX-License-Identifier: Apache-2.0
/* io_uring, by its system calls alone: https://man7.org/linux/man-pages/man7/io_uring.7.html */
#include <linux/io_uring.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pair.h"

struct uring {
	int fd;
	unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static char *uring_map(int fd, off_t offset)
{
	char *data = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	return data == MAP_FAILED ? (exit(REFUSED), NULL) : data;
}

static struct uring uring_open(void)
{
	struct io_uring_params p = {};
	struct uring ring = {.fd = syscall(SYS_io_uring_setup, 8, &p)};
	char *sq, *cq;

	if (ring.fd < 0)
		exit(REFUSED);
	sq = uring_map(ring.fd, IORING_OFF_SQ_RING);
	cq = uring_map(ring.fd, IORING_OFF_CQ_RING);
	ring.sqes = (struct io_uring_sqe *)uring_map(ring.fd, IORING_OFF_SQES);
	ring.sq_tail = (unsigned *)(sq + p.sq_off.tail);
	ring.sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (unsigned *)(sq + p.sq_off.array);
	ring.cq_head = (unsigned *)(cq + p.cq_off.head);
	ring.cq_tail = (unsigned *)(cq + p.cq_off.tail);
	ring.cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
	ring.cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	return ring;
}

static void uring_submit(struct uring *ring, int operation, int fd, void *data, unsigned length, unsigned wait)
{
	unsigned index = *ring->sq_tail & *ring->sq_mask;

	ring->sqes[index] =
		(struct io_uring_sqe){.opcode = operation, .fd = fd, .addr = (unsigned long)data, .len = length};
	ring->sq_array[index] = index;
	__atomic_store_n(ring->sq_tail, *ring->sq_tail + 1, __ATOMIC_RELEASE);
	check(syscall(SYS_io_uring_enter, ring->fd, 1, wait, wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0));
}

static int uring_result(struct uring *ring)
{
	unsigned head = *ring->cq_head;

	if (head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE))
		check(syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0));
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return ring->cqes[head & *ring->cq_mask].res;
}

/* Sends while the parent waits in a read of the pipe, and then ends that read. */
static void send_late(int pipe)
{
	usleep(50000);
	check(write(client, "late", 4));
	usleep(50000);
	_exit(write(pipe, "WRONG", 5) != 5);
}

/*
 * First a plain send and receive. Then a receive that waits, completed while the thread is on its way out of a read of
 * something else, whose buffer says WRONG: that must not be taken for the received bytes.
 */
void run_uring(void)
{
	struct uring ring = uring_open();
	char received[64] = {}, other[64] = "WRONG";
	int pipes[2];

	check(pipe(pipes));
	uring_submit(&ring, IORING_OP_SEND, client, "by ring", 7, 1);
	check(uring_result(&ring));
	uring_submit(&ring, IORING_OP_RECV, server, received, sizeof(received), 1);
	check(uring_result(&ring));
	uring_submit(&ring, IORING_OP_RECV, server, received, sizeof(received), 0);
	if (!check(fork()))
		send_late(pipes[1]);
	check(read(pipes[0], other, 5));
	if (uring_result(&ring) != 4)
		exit(1);
	check(write(client, "after", 5));
	take(5);
}
