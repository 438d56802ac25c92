// SPDX-License-Identifier: Apache-2.0
/* One loopback connection from `client` to `server`, and the scenarios that use it. */
#pragma once

#include <stddef.h>

#define REFUSED 77 /* exit code: the kernel does not allow what the scenario is about */
#define OTHER_PORT 34567
#define check(call) checked((call), #call)

extern int client, server;
extern char buffer[1 << 20];

/* Ends the program when the call failed. */
long checked(long result, const char *call);

/* The listener is IPv6 when one of the ends is. */
void open_pair(int listener_family, int client_family);

/* Takes `length` bytes off the server's end, so that its next call finds only its own bytes. */
void take(size_t length);

void run_bytes(void);
void run_vectors(void);
void run_many_vectors(void);
void run_largest(void);
void run_messages(void);
void run_batches(void);
void run_batch_receive(void);
void run_peek(void);
void run_urgent(void);
void run_files(void);
void run_fin(void);
void run_fin_on_data(void);
void run_reset(void);
void run_inherited(void);
void run_fault(void);
void run_uring(void);
void run_many_connections(void);
void run_other_sockets(void);
