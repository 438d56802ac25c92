// libnghttp2's header compression, both ways: a bench without a corpus makes its own blocks.

#include <memory>
#include <stdexcept>

#include <nghttp2/nghttp2.h>

#include "parsers.h"

namespace reference
{

namespace
{

constexpr size_t TABLE_SIZE = 4096;

using Inflater = std::unique_ptr<nghttp2_hd_inflater, decltype(&nghttp2_hd_inflate_del)>;
using Deflater = std::unique_ptr<nghttp2_hd_deflater, decltype(&nghttp2_hd_deflate_del)>;

Inflater open_inflater()
{
	nghttp2_hd_inflater *inflater = nullptr;
	if (nghttp2_hd_inflate_new(&inflater) != 0)
		throw std::bad_alloc();
	return {inflater, nghttp2_hd_inflate_del};
}

void inflate(nghttp2_hd_inflater *inflater, Chunk block, Counts &counts)
{
	int flags = 0;
	do {
		nghttp2_nv field;
		ssize_t read = nghttp2_hd_inflate_hd2(inflater, &field, &flags, block.data, block.length, 1);
		if (read < 0)
			throw std::runtime_error("libnghttp2 refuses a block");
		block.data += read;
		block.length -= static_cast<size_t>(read);
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
			counts.items++;
			counts.bytes += field.namelen + field.valuelen;
		}
	} while (!(flags & NGHTTP2_HD_INFLATE_FINAL));
	nghttp2_hd_inflate_end_headers(inflater);
}

uint8_t *bytes_of(const std::string &text)
{
	return reinterpret_cast<uint8_t *>(const_cast<char *>(text.data()));
}

std::vector<uint8_t> deflate(nghttp2_hd_deflater *deflater, const Fields &fields)
{
	std::vector<nghttp2_nv> list;
	for (const auto &[name, value] : fields)
		list.push_back({bytes_of(name), bytes_of(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
	std::vector<uint8_t> block(nghttp2_hd_deflate_bound(deflater, list.data(), list.size()));
	ssize_t length = nghttp2_hd_deflate_hd(deflater, block.data(), block.size(), list.data(), list.size());
	if (length < 0)
		throw std::runtime_error("libnghttp2 cannot encode the fields");
	block.resize(static_cast<size_t>(length));
	return block;
}

} // namespace

Counts inflate_hpack(const Chunks &chunks, uint32_t laps)
{
	Counts counts;
	while (laps-- > 0) {
		Inflater inflater = open_inflater();
		for (const Chunk &chunk : chunks) {
			if (chunk.stream == 1)
				inflater = open_inflater();
			inflate(inflater.get(), chunk, counts);
		}
	}
	return counts;
}

std::vector<std::vector<uint8_t>> deflate_hpack(const std::vector<Fields> &blocks)
{
	nghttp2_hd_deflater *made = nullptr;
	if (nghttp2_hd_deflate_new(&made, TABLE_SIZE) != 0)
		throw std::bad_alloc();
	Deflater deflater(made, nghttp2_hd_deflate_del);
	std::vector<std::vector<uint8_t>> encoded;
	for (const Fields &fields : blocks)
		encoded.push_back(deflate(deflater.get(), fields));
	return encoded;
}

} // namespace reference
