// The reference parsers, each as its users call it: bytes in, counts out.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace reference
{

// A piece of a stream as it arrived. For HPACK: a block, `stream` 1 where a new connection begins.
struct Chunk {
	const uint8_t *data;
	size_t length;
	uint32_t stream;
};

using Chunks = std::vector<Chunk>;

struct Counts {
	// Messages, replies or header fields.
	uint64_t items = 0;
	// Bytes of what the parser handed out of them.
	uint64_t bytes = 0;
};

// Stream 0 holds requests, stream 1 responses.
Counts parse_http(const Chunks &chunks, uint32_t laps);

// Both streams are read as values of RESP; with or without the objects that hiredis makes of them.
Counts parse_resp(const Chunks &chunks, uint32_t laps, bool makes_objects);

Counts inflate_hpack(const Chunks &chunks, uint32_t laps);

using Fields = std::vector<std::pair<std::string, std::string>>;

// The blocks of one connection, as nghttp2 encodes them.
std::vector<std::vector<uint8_t>> deflate_hpack(const std::vector<Fields> &blocks);

} // namespace reference
