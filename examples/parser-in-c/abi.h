/*
 * Spanwire's parser ABI 1.0 as far as this parser needs it, written from docs/abi.md alone. WebAssembly is
 * little-endian, and its C aligns as the ABI does: so a struct is the record, and the assertions say if not.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ABI_VERSION (1 << 16 | 0)
#define PAGE 65536u
#define NO_CHUNK 0xffffffffu
#define MESSAGE_MAX 8192u

#define EXPORT(name) __attribute__((export_name(#name)))

struct layout {
	uint32_t input;
	uint32_t output;
	uint32_t output_length;
	uint32_t slots;
	uint32_t current;
	uint32_t reserved;
};

enum chunk_kind {
	DATA,
	GAP,
	EOF,
	RESET
};
enum direction {
	FROM_CLIENT,
	FROM_SERVER
};
enum open_flag {
	OPEN_MID_STREAM = 1
};
enum verdict {
	IDENTIFY_NO,
	IDENTIFY_MORE,
	IDENTIFY_SCORE_MIN,
	IDENTIFY_SWAPPED = 0x100
};

struct chunk {
	uint32_t slot;
	uint8_t kind;
	uint8_t direction;
	uint16_t reserved;
	uint32_t data;
	uint32_t length;
	uint32_t wire_length;
	uint32_t reserved2;
	uint64_t time;
	uint64_t offset;
};

enum record_type {
	REQUEST = 1,
	RESPONSE = 2,
	DESYNC = 16,
	GIVE_UP = 19
};
enum message_flag {
	ERROR = 1,
	PARTIAL = 2,
	NO_RESPONSE = 8
};

struct hint {
	uint32_t length;
	uint32_t slot;
	uint16_t type;
	uint16_t flags;
	uint32_t value;
};

struct message {
	uint32_t length;
	uint32_t slot;
	uint16_t type;
	uint16_t flags;
	uint32_t status;
	uint64_t key;
	uint64_t first;
	uint64_t last;
	uint64_t bytes;
	uint64_t body_bytes;
	uint16_t attributes;
	uint8_t protocol;
	uint8_t reserved;
	uint32_t reserved2;
};

struct attribute {
	uint16_t id;
	uint16_t length;
	uint8_t value[];
};

/* The first 16 bytes of a slot: the host's. */
struct slot_header {
	uint32_t size;
	uint32_t open_flags;
	uint64_t reserved;
};

_Static_assert(sizeof(struct layout) == 24, "layout record");
_Static_assert(sizeof(struct chunk) == 40 && offsetof(struct chunk, time) == 24, "chunk");
_Static_assert(sizeof(struct hint) == 16, "hint");
_Static_assert(sizeof(struct message) == 64 && offsetof(struct message, attributes) == 56, "message");
_Static_assert(sizeof(struct attribute) == 4, "attribute");
_Static_assert(sizeof(struct slot_header) == 16, "slot header");
