// hiredis' reader, fed and asked as hiredis itself does it.

#include <memory>
#include <stdexcept>

#include <hiredis/hiredis.h>

#include "parsers.h"

namespace reference
{

namespace
{

using Reader = std::unique_ptr<redisReader, decltype(&redisReaderFree)>;

Reader open(bool makes_objects)
{
	Reader reader(redisReaderCreate(), redisReaderFree);
	if (!reader)
		throw std::bad_alloc();
	if (!makes_objects)
		reader->fn = nullptr;
	return reader;
}

void read_all(redisReader *reader, bool makes_objects, Counts &counts)
{
	void *reply = nullptr;
	while (true) {
		if (redisReaderGetReply(reader, &reply) != REDIS_OK)
			throw std::runtime_error(std::string("hiredis: ") + reader->errstr);
		if (reply == nullptr)
			return;
		counts.items++;
		if (makes_objects)
			freeReplyObject(reply);
	}
}

} // namespace

Counts parse_resp(const Chunks &chunks, uint32_t laps, bool makes_objects)
{
	Reader readers[2] = {open(makes_objects), open(makes_objects)};
	Counts counts;
	while (laps-- > 0) {
		for (const Chunk &chunk : chunks) {
			redisReader *reader = readers[chunk.stream].get();
			redisReaderFeed(reader, reinterpret_cast<const char *>(chunk.data), chunk.length);
			read_all(reader, makes_objects, counts);
			counts.bytes += chunk.length;
		}
	}
	return counts;
}

} // namespace reference
