/*
 * Ask, the worked protocol, in plain C: no SDK, no library, one file. The wire format is in
 * ../parser-ask/README.md, the contract with the host in docs/abi.md.
 *
 *   0 u32 length   4 u8 magic   5 u8 kind   6 u32 id   10 u16 number   12 rest: length - 8 bytes
 *
 * Rule: all that is known of a connection lies in its slot, so that the host may move it. The first bytes of a frame
 * are gathered there and looked at only then, so it makes no difference how the stream is cut.
 */
#include "abi.h"

#define LENGTH_SIZE 4u
#define HEADER_SIZE 12u
#define METHOD_MAX 64u
/* All that is looked at of a frame. */
#define AREA (HEADER_SIZE + METHOD_MAX)
#define MAGIC 0xa5

/* Bytes of one direction that are searched, without a message, before the connection is given up. */
#define SEARCH_MAX (1024u * 1024)

enum kind {
	CALL = 1,
	ANSWER,
	CAST
};
enum match {
	NO,
	MORE,
	YES
};
enum attribute_id {
	RPC_METHOD = 1,
	ASK_REQUEST_ID
};
enum desync_reason {
	LOST_BYTES = 1,
	BAD_BYTES
};

/*
 * How far a direction is trusted. While searching, one header is no proof, a payload may hold its like: so the second
 * good frame in a row is the first to be reported.
 */
enum doubt {
	IN_STEP,
	ONE_MORE,
	TWO_MORE,
	SEARCHING
};

/* One direction, and where it is in its frame. */
struct half {
	uint64_t first;
	/* Bytes of the frame that went by, those of them in area, and all that it has, once its header is whole. */
	uint32_t taken;
	uint32_t kept;
	uint32_t size;
	uint32_t searched;
	uint8_t doubt;
	uint8_t area[AREA];
};

struct connection {
	struct slot_header header;
	uint64_t dead;
	struct half halves[2];
};

_Static_assert(sizeof(struct connection) <= 320, "the manifest's slot class must hold it all");

/* The linker's: where the module's own data ends. */
extern uint8_t __heap_base;

static struct layout record;
static uint8_t *output;
static uint8_t *output_end;

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

static uint32_t be16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t be32(const uint8_t *at)
{
	return be16(at) << 16 | be16(at + 2);
}

static uint32_t min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* ---- output ------------------------------------------------------------------------------------------------------ */

static int has_room(void)
{
	return output_end - output >= (ptrdiff_t)MESSAGE_MAX;
}

static void hint(struct connection *c, enum record_type type, uint32_t value)
{
	*(struct hint *)output =
		(struct hint){.length = sizeof(struct hint), .slot = (uint32_t)c, .type = type, .value = value};
	output += sizeof(struct hint);
}

static void add_attribute(struct message *message, uint16_t id, const void *value, uint32_t length)
{
	struct attribute *attribute = (struct attribute *)output;
	uint32_t padded = (length + 3) & ~3u;
	if (padded > 0)
		*(uint32_t *)(attribute->value + padded - 4) = 0;
	attribute->id = id;
	attribute->length = length;
	__builtin_memcpy(attribute->value, value, length);
	message->attributes++;
	output += sizeof(struct attribute) + padded;
}

static void commit(struct message *message)
{
	*(uint32_t *)output = 0;
	message->length = ((output - (uint8_t *)message) + 7) & ~7u;
	output = (uint8_t *)message + message->length;
}

static void describe_call(struct message *message, const struct half *half)
{
	int64_t id = be32(half->area + 6);
	uint32_t method = be16(half->area + 10);
	message->body_bytes -= method;
	if (half->area[5] == CAST)
		message->flags |= NO_RESPONSE;
	if (half->kept >= HEADER_SIZE + method)
		add_attribute(message, RPC_METHOD, half->area + HEADER_SIZE, method);
	else
		message->flags |= PARTIAL;
	add_attribute(message, ASK_REQUEST_ID, &id, sizeof(id));
}

/* The whole frame has gone by, its last byte at `now`. */
static void write_message(struct connection *c, const struct half *half, uint64_t now)
{
	struct message *message = (struct message *)output;
	int is_answer = half->area[5] == ANSWER;
	*message = (struct message){
		.slot = (uint32_t)c,
		.type = is_answer ? RESPONSE : REQUEST,
		.key = be32(half->area + 6),
		.first = half->first,
		.last = now,
		.bytes = half->size,
		.body_bytes = half->size - HEADER_SIZE,
	};
	output += sizeof(struct message);
	if (is_answer) {
		message->status = be16(half->area + 10);
		message->flags = message->status != 0 ? ERROR : 0;
	} else {
		describe_call(message, half);
	}
	commit(message);
}

/* ---- one direction ----------------------------------------------------------------------------------------------- */

static int is_kind(uint8_t kind, enum direction direction)
{
	return direction == FROM_CLIENT ? kind == CALL || kind == CAST : kind == ANSWER;
}

/* Whether a frame of that direction can begin with these bytes. */
static enum match match_header(const uint8_t *at, uint32_t there, enum direction direction)
{
	if (there > 0 && at[0] != 0) /* a length is below 2^24 */
		return NO;
	if (there >= 4 && be32(at) + LENGTH_SIZE < HEADER_SIZE)
		return NO;
	if (there >= 5 && at[4] != MAGIC)
		return NO;
	if (there >= 6 && !is_kind(at[5], direction))
		return NO;
	if (there < HEADER_SIZE)
		return MORE;
	if (direction == FROM_SERVER)
		return YES;
	uint32_t method = be16(at + 10);
	return method > 0 && method <= METHOD_MAX && method <= be32(at) + LENGTH_SIZE - HEADER_SIZE ? YES : NO;
}

static void advance(struct chunk *chunk, uint32_t bytes)
{
	chunk->data += bytes;
	chunk->length -= bytes;
	chunk->wire_length -= bytes;
	chunk->offset += bytes;
}

/* Takes bytes of the frame off the chunk until `wanted` have gone by; keeps the first, as long as no gap precedes. */
static int collect(struct half *half, struct chunk *chunk, uint32_t wanted)
{
	uint32_t bytes = min(chunk->length, wanted - half->taken);
	if (half->taken == 0)
		half->first = chunk->time;
	if (half->taken == half->kept) {
		uint32_t kept = min(bytes, AREA - half->kept);
		__builtin_memcpy(half->area + half->kept, (const uint8_t *)chunk->data, kept);
		half->kept += kept;
	}
	half->taken += bytes;
	advance(chunk, bytes);
	return half->taken == wanted;
}

/* Nothing was reported since the last DESYNC if the direction was in doubt: then none is due. */
static void search(struct connection *c, struct half *half, enum desync_reason reason)
{
	if (half->doubt == IN_STEP)
		hint(c, DESYNC, reason);
	half->doubt = SEARCHING;
}

static void spend(struct connection *c, struct half *half, uint32_t bytes)
{
	half->searched += bytes;
	if (half->searched > SEARCH_MAX && !c->dead) {
		hint(c, GIVE_UP, 0);
		c->dead = 1;
	}
}

/* The first place before `limit` where a header can begin, as far as the bytes up to `end` can tell; or `limit`. */
static const uint8_t *find_header(const uint8_t *from, const uint8_t *limit, const uint8_t *end,
                                  enum direction direction)
{
	while (from < limit && match_header(from, min(end - from, HEADER_SIZE), direction) == NO)
		from++;
	return from;
}

static void mistake(struct connection *c, struct half *half, uint32_t bytes)
{
	search(c, half, BAD_BYTES);
	spend(c, half, bytes);
}

/*
 * Goes on where a header can begin among the bytes kept, of which the chunk shows what follows. When they came is not
 * known any more; but the first frame behind a mistake is not reported.
 */
static void seek_kept(struct connection *c, struct half *half, const struct chunk *chunk)
{
	uint8_t both[2 * HEADER_SIZE];
	uint32_t kept = half->kept;
	uint32_t fresh = min(chunk->length, HEADER_SIZE);
	__builtin_memcpy(both, half->area, kept);
	__builtin_memcpy(both + kept, (const uint8_t *)chunk->data, fresh);
	uint32_t skipped = find_header(both, both + kept, both + kept + fresh, chunk->direction) - both;
	if (skipped == 0)
		return;
	mistake(c, half, skipped);
	half->taken = half->kept = kept - skipped;
	__builtin_memcpy(half->area, both + skipped, half->kept);
}

/* Goes to where a header begins, or may begin, among the bytes kept, else in the chunk. In step that is right here. */
static void seek(struct connection *c, struct half *half, struct chunk *chunk)
{
	const uint8_t *data = (const uint8_t *)chunk->data;
	const uint8_t *end = data + chunk->length;
	if (half->kept > 0)
		seek_kept(c, half, chunk);
	if (half->kept > 0)
		return;
	uint32_t skipped = find_header(data, end, end, chunk->direction) - data;
	if (skipped > 0)
		mistake(c, half, skipped);
	advance(chunk, skipped);
}

static void finish(struct connection *c, struct half *half, uint64_t now)
{
	if (half->doubt > IN_STEP)
		half->doubt--;
	if (half->doubt == IN_STEP) {
		write_message(c, half, now);
		half->searched = 0;
	} else {
		spend(c, half, half->size);
	}
	half->taken = half->kept = half->size = 0;
}

/* Reads on, at most to the end of a frame. */
static void read(struct connection *c, struct half *half, struct chunk *chunk)
{
	if (half->size == 0) {
		seek(c, half, chunk);
		if (!collect(half, chunk, HEADER_SIZE))
			return;
		half->size = be32(half->area) + LENGTH_SIZE;
		if (half->doubt == SEARCHING)
			half->doubt = TWO_MORE;
	}
	if (collect(half, chunk, half->size))
		finish(c, half, chunk->time);
}

/* Takes a gap. Inside the rest of a frame it is only counted; anywhere else the place of the next header is lost. */
static void lose(struct connection *c, struct half *half, uint32_t bytes, uint64_t now)
{
	if (bytes <= half->size - half->taken && half->size > 0) {
		half->taken += bytes;
		if (half->taken == half->size)
			finish(c, half, now);
		return;
	}
	search(c, half, LOST_BYTES);
	half->taken = half->kept = half->size = 0;
}

/* ---- chunks ------------------------------------------------------------------------------------------------------ */

static struct chunk *chunk_at(uint32_t index)
{
	return (struct chunk *)record.input + index;
}

/* 0 when the output is full before the chunk is used up. */
static int consume(struct chunk *chunk)
{
	struct connection *c = (struct connection *)chunk->slot;
	struct half *half = &c->halves[chunk->direction];
	while (chunk->length > 0 && !c->dead) {
		if (!has_room())
			return 0;
		read(c, half, chunk);
	}
	if (c->dead || chunk->wire_length == 0)
		return 1;
	if (!has_room())
		return 0;
	lose(c, half, chunk->wire_length, chunk->time);
	return 1;
}

/* ---- identification ---------------------------------------------------------------------------------------------- */

/* What a client, or a server, has to say to the first bytes of a direction, up to its first gap. */
static enum match match_start(uint32_t count, enum direction direction, enum direction role)
{
	uint8_t start[HEADER_SIZE];
	uint32_t length = 0;
	for (uint32_t index = 0; index < count && length < HEADER_SIZE; index++) {
		const struct chunk *chunk = chunk_at(index);
		if (chunk->direction != direction)
			continue;
		uint32_t bytes = min(chunk->length, HEADER_SIZE - length);
		__builtin_memcpy(start + length, (const uint8_t *)chunk->data, bytes);
		length += bytes;
		if (chunk->kind != DATA || chunk->wire_length > chunk->length)
			break;
	}
	return match_header(start, length, role);
}

/* How well it fits that direction `client` asks and the other one answers. */
static uint32_t score(uint32_t count, enum direction client)
{
	enum match call = match_start(count, client, FROM_CLIENT);
	if (call != YES)
		return call == MORE ? IDENTIFY_MORE : IDENTIFY_NO;
	switch (match_start(count, !client, FROM_SERVER)) {
	case YES:
		return 100;
	case MORE:
		return 90;
	default: /* joined in the middle of an answer */
		return 60;
	}
}

/* ---- exports ----------------------------------------------------------------------------------------------------- */

EXPORT(abi_version) int32_t abi_version(void)
{
	return ABI_VERSION;
}

EXPORT(layout) uint32_t layout(uint32_t input_bytes, uint32_t output_bytes)
{
	uint64_t input = ((uint64_t)(uint32_t)&__heap_base + 63) & ~63ull;
	uint64_t output_at = (input + input_bytes + 63) & ~63ull;
	uint64_t slots = (output_at + output_bytes + 63) & ~63ull;
	uint64_t pages = (slots + PAGE - 1) / PAGE;
	uint32_t there = __builtin_wasm_memory_size(0);
	if (pages > 0xffff)
		return 0;
	if (pages > there && __builtin_wasm_memory_grow(0, pages - there) == (size_t)-1)
		return 0;
	record = (struct layout){.input = input, .output = output_at, .slots = slots, .current = NO_CHUNK};
	output_end = (uint8_t *)record.output + output_bytes;
	return (uint32_t)&record;
}

EXPORT(open) void open(uint32_t slot, uint32_t flags)
{
	struct connection *c = (struct connection *)slot;
	/* the rest of the slot is zero: in step from the first byte on, if that was seen */
	if (flags & OPEN_MID_STREAM)
		c->halves[FROM_CLIENT].doubt = c->halves[FROM_SERVER].doubt = SEARCHING;
}

EXPORT(close) void close(uint32_t slot)
{
	(void)slot;
}

/* Before each chunk the host is told how far it got: should it trap, one connection is lost and not all. */
EXPORT(run) uint32_t run(uint32_t first, uint32_t end)
{
	uint32_t index = first;
	output = (uint8_t *)record.output;
	for (; index < end; index++) {
		record.output_length = output - (uint8_t *)record.output;
		record.current = index;
		if (!consume(chunk_at(index)))
			break;
	}
	record.output_length = output - (uint8_t *)record.output;
	return index;
}

EXPORT(identify) uint32_t identify(uint32_t count)
{
	uint32_t believed = score(count, FROM_CLIENT);
	if (believed >= IDENTIFY_SCORE_MIN)
		return believed;
	uint32_t swapped = score(count, FROM_SERVER);
	if (swapped >= IDENTIFY_SCORE_MIN)
		return swapped | IDENTIFY_SWAPPED;
	return believed > swapped ? believed : swapped;
}
