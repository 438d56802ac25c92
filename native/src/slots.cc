#include "slots.h"

#include <utility>

namespace spanwire
{

namespace
{

constexpr size_t kFirstSize = 1024;
constexpr uint64_t kGoldenRatio = 0x9e3779b97f4a7c15;

} // namespace

Slots::Slots() : table_(kFirstSize)
{
	reserve();
}

// Room for every slot the table can hold: release() never has to allocate.
void Slots::reserve()
{
	cookies_.reserve(table_.size() / 2);
	free_.reserve(table_.size() / 2);
}

size_t Slots::home_of(uint64_t cookie) const
{
	return (cookie * kGoldenRatio >> 32) & (table_.size() - 1);
}

// Where the cookie is, or the free place where it belongs.
size_t Slots::find(uint64_t cookie) const
{
	size_t place = home_of(cookie);
	while (table_[place].cookie != 0 && table_[place].cookie != cookie)
		place = (place + 1) & (table_.size() - 1);
	return place;
}

uint32_t Slots::slot_of(uint64_t cookie)
{
	size_t place = find(cookie);
	if (table_[place].cookie == cookie)
		return table_[place].slot;
	if ((used_ + 1) * 2 > table_.size()) {
		grow();
		place = find(cookie);
	}
	uint32_t slot = take_slot(cookie);
	table_[place] = {cookie, slot};
	used_++;
	return slot;
}

uint32_t Slots::take_slot(uint64_t cookie)
{
	if (free_.empty()) {
		cookies_.push_back(cookie);
		return static_cast<uint32_t>(cookies_.size() - 1);
	}
	uint32_t slot = free_.back();
	free_.pop_back();
	cookies_[slot] = cookie;
	return slot;
}

bool Slots::release(uint32_t slot)
{
	if (slot >= cookies_.size() || cookies_[slot] == 0)
		return false;
	remove(std::exchange(cookies_[slot], 0));
	free_.push_back(slot);
	return true;
}

// Moves later entries of the same run back into the hole, so that no search stops early.
void Slots::remove(uint64_t cookie)
{
	const size_t mask = table_.size() - 1;
	size_t hole = find(cookie);
	for (size_t next = (hole + 1) & mask; table_[next].cookie != 0; next = (next + 1) & mask) {
		size_t home = home_of(table_[next].cookie);
		if (((next - home) & mask) < ((next - hole) & mask))
			continue;
		table_[hole] = table_[next];
		hole = next;
	}
	table_[hole] = {};
	used_--;
}

void Slots::grow()
{
	std::vector<Entry> old = std::exchange(table_, std::vector<Entry>(table_.size() * 2));
	for (const Entry &entry : old)
		if (entry.cookie != 0)
			table_[find(entry.cookie)] = entry;
	reserve();
}

} // namespace spanwire
