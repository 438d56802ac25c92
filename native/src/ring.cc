#include "ring.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/types.h>

#include "../../bpf/wire.h"
#include "errors.h"

namespace spanwire
{

namespace
{

constexpr uint32_t kHeader = BPF_RINGBUF_HDR_SZ;
constexpr uint32_t kBusy = BPF_RINGBUF_BUSY_BIT;
constexpr uint32_t kDiscarded = BPF_RINGBUF_DISCARD_BIT;

size_t page_bytes()
{
	return static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

constexpr size_t aligned(size_t length)
{
	return (length + 7) & ~size_t{7};
}

uint64_t load_position(const Mapping &page)
{
	return __atomic_load_n(reinterpret_cast<const uint64_t *>(page.data()), __ATOMIC_ACQUIRE);
}

void store_position(const Mapping &page, uint64_t position)
{
	__atomic_store_n(reinterpret_cast<uint64_t *>(page.data()), position, __ATOMIC_RELEASE);
}

bool has_connection(const spanwire_record &record)
{
	return record.kind <= SPANWIRE_CLOSE && record.connection != 0;
}

} // namespace

Mapping::Mapping(int fd, size_t offset, size_t size, bool writable) : size_(size)
{
	int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	void *data = mmap(nullptr, size, protection, MAP_SHARED, fd, static_cast<off_t>(offset));
	if (data == MAP_FAILED)
		throw system_failure(errno, "cannot map the ring");
	data_ = static_cast<uint8_t *>(data);
}

Mapping::~Mapping()
{
	munmap(data_, size_);
}

size_t ring_bytes_of(int fd)
{
	bpf_map_info info = {};
	__u32 length = sizeof(info);
	int error = bpf_obj_get_info_by_fd(fd, &info, &length);
	if (error)
		throw system_failure(errno, "the descriptor is not that of a ring");
	if (info.type != BPF_MAP_TYPE_RINGBUF)
		throw Failure("EINVAL", "the descriptor is not that of a ring");
	return info.max_entries;
}

// The mappings keep the ring alive: the descriptor is not needed after this.
Ring::Ring(int fd)
	: size_(ring_bytes_of(fd)), consumer_(fd, 0, page_bytes(), true),
	  producer_(fd, page_bytes(), page_bytes() + size_, false)
{
}

// From `offset` of the data, and on from its start where the ring ends.
void Ring::copy_record(uint8_t *target, const uint8_t *data, size_t offset, uint32_t length)
{
	size_t before_end = std::min<size_t>(length, size_ - offset);
	std::memcpy(target, data + offset, before_end);
	if (before_end < length)
		std::memcpy(target + before_end, data, length - before_end);
	if (length < sizeof(spanwire_record))
		return;
	auto *copy = reinterpret_cast<spanwire_record *>(target);
	if (has_connection(*copy))
		copy->slot = slots_.slot_of(copy->connection);
}

// Stops at a record that is still being written, and at one that does not fit. A header is never broken by the end of
// the ring: both are multiples of its size.
size_t Ring::drain(uint8_t *target, size_t capacity)
{
	const uint8_t *data = producer_.data() + page_bytes();
	const uint64_t end = load_position(producer_);
	uint64_t position = load_position(consumer_);
	size_t written = 0;
	while (position < end) {
		const uint64_t at = position & (size_ - 1);
		const uint8_t *header = data + at;
		uint32_t word = __atomic_load_n(reinterpret_cast<const uint32_t *>(header), __ATOMIC_ACQUIRE);
		if (word & kBusy)
			break;
		uint32_t length = word & ~kDiscarded;
		if (!(word & kDiscarded)) {
			if (aligned(length) > capacity - written)
				break;
			copy_record(target + written, data, (at + kHeader) & (size_ - 1), length);
			written += aligned(length);
		}
		position += aligned(length + kHeader);
	}
	store_position(consumer_, position);
	return written;
}

void Ring::release(const uint32_t *slots, size_t count)
{
	for (size_t index = 0; index < count; index++)
		if (!slots_.release(slots[index]))
			throw range_failure("slot " + std::to_string(slots[index]) + " is not in use");
}

size_t Ring::pending() const
{
	uint64_t consumed = load_position(consumer_);
	return static_cast<size_t>(load_position(producer_) - consumed);
}

} // namespace spanwire
