// SPDX-License-Identifier: Apache-2.0
/*
 * Socket calls of every shape, for the kernel tests: calls SCENARIO. Waits for a line on stdin (the test selects the
 * process meanwhile), runs the scenario on one loopback connection, and exits with 0, or with REFUSED.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pair.h"

int client, server;
char buffer[1 << 20];

long checked(long result, const char *call)
{
	if (result >= 0)
		return result;
	fprintf(stderr, "%s: %s\n", call, strerror(errno));
	exit(1);
}

static void connect_to(int listener, int family)
{
	struct sockaddr_in6 address;
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	check(getsockname(listener, (struct sockaddr *)&address, &length));
	client = check(socket(family, SOCK_STREAM, 0));
	if (family == AF_INET6) {
		address.sin6_addr = in6addr_loopback;
		check(connect(client, (struct sockaddr *)&address, sizeof(address)));
	} else {
		v4.sin_port = address.sin6_port; /* at the same place in both families */
		check(connect(client, (struct sockaddr *)&v4, sizeof(v4)));
	}
	server = check(accept(listener, NULL, NULL));
}

void open_pair(int listener_family, int client_family)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	int listener = check(socket(listener_family, SOCK_STREAM, 0));

	if (listener_family == AF_INET6)
		check(bind(listener, (struct sockaddr *)&v6, sizeof(v6)));
	else
		check(bind(listener, (struct sockaddr *)&v4, sizeof(v4)));
	check(listen(listener, 4));
	connect_to(listener, client_family);
	close(listener);
}

void take(size_t length)
{
	while (length > 0)
		length -= check(read(server, buffer, length < sizeof(buffer) ? length : sizeof(buffer)));
}

static const struct scenario {
	const char *name;
	void (*run)(void);
	int listener_family, client_family;
} scenarios[] = {
	{"bytes", run_bytes, AF_INET, AF_INET},
	{"vectors", run_vectors, AF_INET, AF_INET},
	{"many-vectors", run_many_vectors, AF_INET, AF_INET},
	{"largest", run_largest, AF_INET, AF_INET},
	{"messages", run_messages, AF_INET, AF_INET},
	{"batches", run_batches, AF_INET, AF_INET},
	{"batch-receive", run_batch_receive, AF_INET, AF_INET},
	{"peek", run_peek, AF_INET, AF_INET},
	{"urgent", run_urgent, AF_INET, AF_INET},
	{"files", run_files, AF_INET, AF_INET},
	{"fin", run_fin, AF_INET, AF_INET},
	{"fin-on-data", run_fin_on_data, AF_INET, AF_INET},
	{"reset", run_reset, AF_INET, AF_INET},
	{"inherited", run_inherited, AF_INET, AF_INET},
	{"fault", run_fault, AF_INET, AF_INET},
	{"uring", run_uring, AF_INET, AF_INET},
	{"many-connections", run_many_connections, AF_INET, AF_INET},
	{"other-sockets", run_other_sockets, AF_INET, AF_INET},
	{"ipv6", run_bytes, AF_INET6, AF_INET6},
	{"mapped", run_bytes, AF_INET6, AF_INET},
};

int main(int count, char **arguments)
{
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		if (count != 2 || strcmp(arguments[1], scenarios[i].name))
			continue;
		if (!fgets(buffer, sizeof(buffer), stdin))
			return 2;
		open_pair(scenarios[i].listener_family, scenarios[i].client_family);
		scenarios[i].run();
		close(client);
		close(server);
		usleep(20000);
		return 0;
	}
	fprintf(stderr, "usage: calls SCENARIO\n");
	return 2;
}
