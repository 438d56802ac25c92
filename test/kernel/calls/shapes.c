// SPDX-License-Identifier: Apache-2.0
/* Each syscall that moves bytes, and how it names its buffer. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pair.h"

void run_bytes(void)
{
	check(write(client, "write", 5));
	check(read(server, buffer, 64));
	check(send(client, "send", 4, 0));
	check(recv(server, buffer, 64, 0));
	check(write(client, "in parts", 8));
	check(read(server, buffer, 3));
	check(read(server, buffer, 64));
}

void run_vectors(void)
{
	struct iovec out[3] = {{"one ", 4}, {"", 0}, {"two", 3}};
	struct iovec in[2] = {{buffer, 2}, {buffer + 100, 64}};

	check(writev(client, out, 3));
	check(readv(server, in, 2));
	check(pwritev2(client, out, 3, -1, 0));
	check(preadv2(server, in, 2, -1, 0));
}

/* 132 pieces: four more than are looked at. */
void run_many_vectors(void)
{
	static char letters[] = "abcdefghijklmnopqrst";
	struct iovec out[132];

	for (int i = 0; i < 132; i++)
		out[i] = (struct iovec){&letters[i % 20], 1};
	check(writev(client, out, 128));
	check(writev(client, out, 132));
	take(260);
}

/* One iovec and several that end exactly at, and beyond, the largest payload. */
void run_largest(void)
{
	struct iovec out[3] = {{buffer, 10000}, {buffer, 6384}, {buffer, 1}};
	struct iovec one[2] = {{"", 0}, {buffer, 16384}};

	memset(buffer, 'x', 16385);
	check(write(client, buffer, 16384));
	check(write(client, buffer, 16385));
	check(writev(client, out, 2));
	check(writev(client, out, 3));
	check(writev(client, one, 2));
	take(16384 * 5 + 2);
}

void run_messages(void)
{
	struct iovec out[2] = {{"mes", 3}, {"sage", 4}};
	struct iovec in[2] = {{buffer, 2}, {buffer + 100, 64}};
	struct msghdr message = {.msg_iov = out, .msg_iovlen = 2};

	check(sendmsg(client, &message, 0));
	message.msg_iov = in;
	check(recvmsg(server, &message, 0));
	message = (struct msghdr){.msg_iov = in, .msg_iovlen = 1};
	in[0] = (struct iovec){"flat", 4};
	check(sendmsg(client, &message, 0));
	take(4);
}

/* The same array twice, then one whose second message goes only in part, then the same array again. */
void run_batches(void)
{
	struct iovec parts[4] = {{"al", 2}, {"pha", 3}, {"beta", 4}, {"gamma", 5}};
	struct mmsghdr batch[3] = {
		{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 2}},
		{.msg_hdr = {.msg_iov = parts + 2, .msg_iovlen = 1}},
		{.msg_hdr = {.msg_iov = parts + 3, .msg_iovlen = 1}},
	};
	int small = 4096, sent;

	check(sendmmsg(client, batch, 3, 0));
	check(sendmmsg(client, batch, 3, 0));
	take(28);
	check(setsockopt(client, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)));
	parts[2] = (struct iovec){buffer, sizeof(buffer)};
	sent = check(sendmmsg(client, batch, 3, MSG_DONTWAIT));
	if (sent != 2 || batch[1].msg_len >= sizeof(buffer))
		exit(REFUSED);
	take(5 + batch[1].msg_len);
	parts[2] = (struct iovec){"delta", 5};
	check(sendmmsg(client, batch, 3, 0));
	take(15);
}

void run_batch_receive(void)
{
	struct iovec parts[2] = {{buffer, 3}, {buffer + 100, 64}};
	struct mmsghdr batch[2] = {
		{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 1}},
		{.msg_hdr = {.msg_iov = parts + 1, .msg_iovlen = 1}},
	};

	check(write(client, "abcdefgh", 8));
	check(recvmmsg(server, batch, 2, 0, NULL));
	check(write(client, "xyz", 3));
	check(recvmmsg(server, batch, 2, MSG_DONTWAIT, NULL)); /* the second message finds nothing: an error ends it */
	check(write(client, "uvw123", 6));
	check(recvmmsg(server, batch, 2, 0, NULL));
}
