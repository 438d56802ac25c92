// SPDX-License-Identifier: Apache-2.0
/* What happens to streams beside plain calls: peeking, files, ends, inheritance, vanishing buffers. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pair.h"

/* Reads that take nothing of the stream, or take it without a buffer. */
void run_peek(void)
{
	check(write(client, "peek", 4));
	check(recv(server, buffer, 64, MSG_PEEK));
	check(recv(server, buffer, 2, 0));
	check(recv(server, buffer, 0, 0)); /* nothing asked for is not the end */
	check(recv(server, buffer, 2, MSG_TRUNC));
	check(send(client, "after", 5, 0));
	check(recv(server, buffer, 64, 0));
}

void run_urgent(void)
{
	check(send(client, "ab!", 3, MSG_OOB));
	check(recv(server, buffer, 2, 0));
	check(recv(server, buffer, 1, MSG_OOB));
	check(write(client, "after", 5));
	check(recv(server, buffer, 64, 0));
}

/* Bytes that never were in a buffer of this process. */
void run_files(void)
{
	int pipes[2], file = check(memfd_create("file", 0));
	off_t start = 0;

	check(write(file, "from a file", 11));
	check(sendfile(client, file, &start, 11));
	take(11);
	check(pipe(pipes));
	check(write(pipes[1], "from a pipe", 11));
	check(splice(pipes[0], NULL, client, NULL, 11, 0));
	take(11);
	check(write(client, "after", 5));
	take(5);
}

/* The peer's FIN is taken by the read that takes the last bytes. */
void run_fin(void)
{
	check(write(client, "the end", 7));
	check(shutdown(client, SHUT_WR));
	usleep(20000);
	check(read(server, buffer, 64));
	check(read(server, buffer, 64));
	check(read(server, buffer, 64));
	check(write(server, "answer", 6));
	check(read(client, buffer, 64));
}

/* The FIN rides on the last segment, which had to wait for room. */
void run_fin_on_data(void)
{
	size_t total = 0;
	ssize_t moved;

	fcntl(client, F_SETFL, O_NONBLOCK);
	while ((moved = write(client, buffer, 100000)) > 0)
		total += moved;
	check(shutdown(client, SHUT_WR));
	for (size_t seen = 0; seen < total; seen += moved)
		moved = check(read(server, buffer, sizeof(buffer)));
	check(read(server, buffer, 64));
}

void run_reset(void)
{
	struct linger now = {1, 0};

	check(write(client, "before", 6));
	check(read(server, buffer, 64));
	check(setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	close(client);
	if (read(server, buffer, 64) != -1 || errno != ECONNRESET)
		exit(1);
}

void run_inherited(void)
{
	int copy = dup(client), status;
	pid_t child = check(fork());

	if (!child)
		_exit(write(client, "child", 5) != 5);
	check(waitpid(child, &status, 0));
	take(5);
	check(write(copy, "dup", 3));
	take(3);
	close(copy);
}

struct buffer_taken {
	char *pages;
	size_t length;
};

static void *take_buffer(void *argument)
{
	struct buffer_taken *taken = argument;

	usleep(50000);
	check(munmap(taken->pages, 4096));
	take(taken->length);
	return NULL;
}

/* The start of the buffer is unmapped while the call waits for room. */
void run_fault(void)
{
	struct buffer_taken taken = {.length = 16 << 20};
	pthread_t thread;

	taken.pages = mmap(NULL, taken.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(taken.pages, 'p', taken.length);
	check(-pthread_create(&thread, NULL, take_buffer, &taken));
	check(write(client, taken.pages, taken.length));
	check(-pthread_join(thread, NULL));
}

/* Sockets that are not TCP; the UDP one has the local port the test selects. */
void run_other_sockets(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int ends[2], udp = check(socket(AF_INET, SOCK_DGRAM, 0));

	address.sin_port = htons(OTHER_PORT);
	check(bind(udp, (struct sockaddr *)&address, sizeof(address)));
	check(sendto(udp, "udp", 3, 0, (struct sockaddr *)&address, sizeof(address)));
	check(recv(udp, buffer, 64, 0));
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	check(write(ends[0], "unix", 4));
	check(read(ends[1], buffer, 64));
}

void run_many_connections(void)
{
	for (int i = 0; i < 50; i++) {
		close(client);
		close(server);
		open_pair(AF_INET, AF_INET);
		check(write(client, "ping", 4));
		take(4);
	}
}
