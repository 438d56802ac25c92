// Records of long-lived connections that go on and on: a conversation is some turns at the beginning and others that
// repeat for ever, and each connection remembers where it is. Stream positions, sequence numbers, times and HTTP/2
// stream ids grow as they would; the rest of the bytes is the same in each lap.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace reference
{

// One call on the socket.
struct Call {
	std::vector<uint8_t> bytes;
	uint8_t direction;
	// Where in the bytes stream ids are: big-endian, and `stride` more in every lap.
	std::vector<uint32_t> stream_ids;
};

// What the client says, and the answer to it.
struct Turn {
	std::vector<Call> calls;
	uint32_t pairs;
};

struct Conversation {
	uint16_t port;
	// Turns before this one are not repeated.
	uint32_t first_repeated;
	uint32_t stride;
	// After the last turn the connection closes, and another one opens in its place.
	bool closes;
	std::vector<Turn> turns;
};

struct Filled {
	size_t bytes = 0;
	uint64_t records = 0;
	uint64_t pairs = 0;
};

class Conversations
{
public:
	// `last_round`: 0, or after how many turns of every connection nothing more comes.
	Conversations(std::vector<Conversation> conversations, uint32_t connections, uint32_t payload_bytes,
	              uint32_t last_round);

	// Whole turns, connection by connection, as long as they fit into `capacity` and, with the ring's headers, into
	// `ring_bytes`.
	Filled fill(uint8_t *target, size_t capacity, size_t ring_bytes);
	// Turns that every connection has had.
	uint64_t rounds() const { return rounds_; }
	// Turns until a connection is in the part that repeats, with one turn of that.
	uint32_t opening() const;

private:
	struct Connection {
		uint64_t cookie;
		uint32_t position[2];
		uint32_t turn;
		uint32_t lap;
	};

	size_t bytes_of(const Turn &turn, bool closes) const;
	uint8_t *write_turn(uint8_t *target, uint32_t number, const Conversation &conversation, const Turn &turn);
	uint8_t *write_call(uint8_t *target, uint32_t number, const Conversation &conversation, const Call &call);
	uint8_t *write_record(uint8_t *target, uint32_t number, const Conversation &conversation, uint8_t kind,
	                      uint8_t direction, const Call *call);
	void next_turn(Connection &connection, const Conversation &conversation);

	std::vector<Conversation> conversations_;
	std::vector<Connection> connections_;
	uint32_t payload_bytes_;
	uint32_t last_round_;
	uint32_t next_ = 0;
	uint64_t rounds_ = 0;
	uint64_t sequence_ = 0;
	uint64_t time_;
};

} // namespace reference
