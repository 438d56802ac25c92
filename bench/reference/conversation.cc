#include "conversation.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

#include <linux/types.h>
#include <sys/socket.h>

#include "../../bpf/wire.h"

namespace reference
{

namespace
{

constexpr uint32_t ORIGIN = 1000;
constexpr uint64_t TIME_STEP_NS = 1000;
constexpr uint32_t TGID = 1000;
constexpr uint32_t RING_HEADER = 8;
constexpr uint32_t FIRST_PORT = 20000;
constexpr uint32_t PORTS = 40000;

constexpr size_t aligned(size_t length)
{
	return (length + 7) & ~size_t{7};
}

uint64_t monotonic_ns()
{
	timespec now = {};
	clock_gettime(CLOCK_MONOTONIC, &now);
	return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

void add_big_endian(uint8_t *at, uint32_t more)
{
	uint32_t value;
	std::memcpy(&value, at, sizeof(value));
	value = __builtin_bswap32(__builtin_bswap32(value) + more);
	std::memcpy(at, &value, sizeof(value));
}

} // namespace

Conversations::Conversations(std::vector<Conversation> conversations, uint32_t connections, uint32_t payload_bytes,
                             uint32_t last_round)
	: conversations_(std::move(conversations)), payload_bytes_(payload_bytes), last_round_(last_round),
	  time_(monotonic_ns())
{
	for (uint32_t number = 0; number < connections; number++)
		connections_.push_back({number + 1, {ORIGIN, ORIGIN}, 0, 0});
}

uint32_t Conversations::opening() const
{
	uint32_t most = 0;
	for (const Conversation &one : conversations_)
		most = std::max(most, one.closes ? static_cast<uint32_t>(one.turns.size()) : one.first_repeated + 1);
	return most;
}

Filled Conversations::fill(uint8_t *target, size_t capacity, size_t ring_bytes)
{
	Filled filled;
	uint8_t *end = target;
	size_t in_ring = 0;
	while (last_round_ == 0 || rounds_ < last_round_) {
		Connection &connection = connections_[next_];
		const Conversation &conversation = conversations_[next_ % conversations_.size()];
		const Turn &turn = conversation.turns[connection.turn];
		bool closes = conversation.closes && connection.turn + 1 == conversation.turns.size();
		size_t bytes = bytes_of(turn, closes);
		size_t records = turn.calls.size() + closes;
		in_ring += bytes + records * RING_HEADER;
		if (filled.bytes + bytes > capacity || in_ring > ring_bytes)
			break;
		end = write_turn(end, next_, conversation, turn);
		if (closes)
			end = write_record(end, next_, conversation, SPANWIRE_CLOSE, SPANWIRE_OUT, nullptr);
		next_turn(connection, conversation);
		filled.bytes += bytes;
		filled.records += records;
		filled.pairs += turn.pairs;
		next_ = (next_ + 1) % connections_.size();
		rounds_ += next_ == 0;
	}
	return filled;
}

void Conversations::next_turn(Connection &connection, const Conversation &conversation)
{
	if (++connection.turn < conversation.turns.size())
		return;
	connection.turn = conversation.first_repeated;
	connection.lap++;
	if (!conversation.closes)
		return;
	connection = {connection.cookie + connections_.size(), {ORIGIN, ORIGIN}, 0, 0};
}

size_t Conversations::bytes_of(const Turn &turn, bool closes) const
{
	size_t bytes = closes ? sizeof(spanwire_record) : 0;
	for (const Call &call : turn.calls)
		bytes += aligned(sizeof(spanwire_record) + std::min<size_t>(call.bytes.size(), payload_bytes_));
	return bytes;
}

uint8_t *Conversations::write_turn(uint8_t *target, uint32_t number, const Conversation &conversation, const Turn &turn)
{
	for (const Call &call : turn.calls)
		target = write_call(target, number, conversation, call);
	return target;
}

uint8_t *Conversations::write_call(uint8_t *target, uint32_t number, const Conversation &conversation, const Call &call)
{
	Connection &connection = connections_[number];
	uint8_t *payload = target + sizeof(spanwire_record);
	uint8_t *end = write_record(target, number, conversation, SPANWIRE_DATA, call.direction, &call);
	connection.position[call.direction] += static_cast<uint32_t>(call.bytes.size());
	for (uint32_t at : call.stream_ids)
		if (at + 4 <= payload_bytes_)
			add_big_endian(payload + at, connection.lap * conversation.stride);
	return end;
}

uint8_t *Conversations::write_record(uint8_t *target, uint32_t number, const Conversation &conversation, uint8_t kind,
                                     uint8_t direction, const Call *call)
{
	const Connection &connection = connections_[number];
	uint32_t moved = call ? static_cast<uint32_t>(call->bytes.size()) : 0;
	uint32_t captured = std::min(moved, payload_bytes_);
	spanwire_record record = {};
	record.connection = connection.cookie;
	record.timestamp_ns = time_ += TIME_STEP_NS;
	record.sequence = sequence_++;
	record.length = static_cast<__u32>(sizeof(record)) + captured;
	record.captured = captured;
	record.moved = moved;
	record.position = connection.position[direction];
	record.origin = ORIGIN;
	record.slot = 0xffffffff;
	record.tgid = TGID;
	record.flags = SPANWIRE_ROLE_SERVER | SPANWIRE_ORIGIN_KNOWN | (captured < moved ? SPANWIRE_TRUNCATED : 0);
	record.local_port = conversation.port;
	record.remote_port = static_cast<__u16>(FIRST_PORT + number % PORTS);
	record.kind = kind;
	record.direction = direction;
	record.family = AF_INET;
	record.type = SOCK_STREAM;
	record.local[0] = 10;
	record.local[3] = 1;
	record.remote[0] = 10;
	record.remote[1] = 1;
	record.remote[2] = static_cast<__u8>(number / PORTS);
	record.remote[3] = 2;
	record.end_in = kind == SPANWIRE_CLOSE ? connection.position[SPANWIRE_IN] : 0;
	std::memcpy(target, &record, sizeof(record));
	if (call)
		std::memcpy(target + sizeof(record), call->bytes.data(), captured);
	return target + aligned(record.length);
}

} // namespace reference
