// llhttp as it is in Node's binary, with the callbacks of one who wants target, fields and the end of a message. Node
// ships no header of it: the structure below is that of llhttp 9.3 and 9.4, and the bench compares what it counts.

#include <stdexcept>

#include "parsers.h"

extern "C" {
void llhttp_init(void *parser, int type, const void *settings);
void llhttp_settings_init(void *settings);
int llhttp_execute(void *parser, const char *data, size_t length);
}

namespace reference
{

namespace
{

constexpr int REQUEST = 1, RESPONSE = 2;

using Plain = int (*)(void *);
using Data = int (*)(void *, const char *, size_t);

struct Settings {
	Plain on_message_begin;
	Data on_protocol, on_url, on_status, on_method, on_version, on_header_field, on_header_value;
	Data on_chunk_extension_name, on_chunk_extension_value;
	Plain on_headers_complete;
	Data on_body;
	Plain on_message_complete;
	// llhttp_settings_init clears those behind, too.
	Plain others[32];
};

// Larger than any llhttp_t so far; its first fields are of no interest here.
struct alignas(16) Parser {
	uint8_t bytes[512];
};

Counts counts;

int on_data(void *, const char *, size_t length)
{
	counts.bytes += length;
	return 0;
}

int on_message_complete(void *)
{
	counts.items++;
	return 0;
}

Settings settings()
{
	Settings settings = {};
	llhttp_settings_init(&settings);
	settings.on_url = on_data;
	settings.on_header_field = on_data;
	settings.on_header_value = on_data;
	settings.on_message_complete = on_message_complete;
	return settings;
}

} // namespace

Counts parse_http(const Chunks &chunks, uint32_t laps)
{
	const Settings callbacks = settings();
	Parser parsers[2];
	llhttp_init(&parsers[0], REQUEST, &callbacks);
	llhttp_init(&parsers[1], RESPONSE, &callbacks);
	counts = {};
	while (laps-- > 0) {
		for (const Chunk &chunk : chunks) {
			const char *data = reinterpret_cast<const char *>(chunk.data);
			if (llhttp_execute(&parsers[chunk.stream], data, chunk.length) != 0)
				throw std::runtime_error("llhttp refuses the messages");
		}
	}
	return counts;
}

} // namespace reference
