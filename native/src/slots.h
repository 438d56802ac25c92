// Small numbers for connections: dense from 0, given on first sight, reused after release. An open-addressing hash
// from socket cookie to number; cookie 0 does not exist and marks a free place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace spanwire
{

class Slots
{
public:
	Slots();

	uint32_t slot_of(uint64_t cookie);
	// False when the number is not in use.
	bool release(uint32_t slot);
	size_t size() const { return used_; }

private:
	struct Entry {
		uint64_t cookie;
		uint32_t slot;
	};

	size_t home_of(uint64_t cookie) const;
	size_t find(uint64_t cookie) const;
	uint32_t take_slot(uint64_t cookie);
	void remove(uint64_t cookie);
	void grow();
	void reserve();

	std::vector<Entry> table_;      // a power of two, at most half full
	std::vector<uint64_t> cookies_; // by slot; 0: free
	std::vector<uint32_t> free_;
	size_t used_ = 0;
};

} // namespace spanwire
