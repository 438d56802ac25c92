#include "feeder.h"

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>

#include "../../bpf/wire.h"
#include "../../native/src/errors.h"

namespace reference
{

namespace
{

constexpr size_t RECORD_MAX = sizeof(spanwire_record) + SPANWIRE_PAYLOAD_MAX;
// As the agent drains: host/pipeline.ts.
constexpr size_t COPY_BYTES = 256 * 1024;

constexpr size_t aligned(size_t length)
{
	return (length + 7) & ~size_t{7};
}

// The program stops this far before the end.
constexpr size_t prepared_bytes(size_t ring_bytes)
{
	return ring_bytes + aligned(RECORD_MAX);
}

size_t page_bytes()
{
	return static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

void check(int error, const char *what)
{
	if (error)
		throw spanwire::system_failure(error, what);
}

uint64_t *position_of(const spanwire::Mapping &page)
{
	return reinterpret_cast<uint64_t *>(page.data());
}

} // namespace

void KernelRing::Close::operator()(bpf_object *object) const
{
	bpf_object__close(object);
}

KernelRing::KernelRing(const uint8_t *object, size_t object_bytes, uint32_t ring_bytes)
	: size_(ring_bytes), copy_(COPY_BYTES)
{
	spanwire::LibbpfLog log;
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "feeder");
	object_.reset(bpf_object__open_mem(object, object_bytes, &options));
	check(object_ ? 0 : errno, "cannot open the feeder's BPF object");
	bpf_map *prepared = bpf_object__find_map_by_name(object_.get(), "prepared");
	bpf_map *ring = bpf_object__find_map_by_name(object_.get(), "ring");
	bpf_map *constants = bpf_object__find_map_by_name(object_.get(), ".rodata");
	bpf_program *program = bpf_object__find_program_by_name(object_.get(), "feed_ring");
	auto bytes = static_cast<uint32_t>(prepared_bytes(ring_bytes));
	check(bpf_map__set_value_size(prepared, bytes), "cannot size the feeder's map");
	check(bpf_map__set_max_entries(ring, ring_bytes), "cannot size the ring");
	check(bpf_map__set_initial_value(constants, &bytes, sizeof(bytes)), "cannot set the feeder's constants");
	if (int error = bpf_object__load(object_.get()))
		throw spanwire::system_failure(error, "cannot load the feeder's BPF object", log.text());
	ring_fd_ = bpf_map__fd(ring);
	program_fd_ = bpf_program__fd(program);
	size_t mapped = (bytes + page_bytes() - 1) / page_bytes() * page_bytes();
	prepared_ = std::make_unique<spanwire::Mapping>(bpf_map__fd(prepared), 0, mapped, true);
	consumer_ = std::make_unique<spanwire::Mapping>(ring_fd_, 0, page_bytes(), true);
	producer_ = std::make_unique<spanwire::Mapping>(ring_fd_, page_bytes(), page_bytes() + 2 * size_, false);
}

void KernelRing::feed(uint32_t bytes)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &bytes, .ctx_size_in = sizeof(bytes));
	check(bpf_prog_test_run_opts(program_fd_, &options), "cannot run the feeder");
	if (options.retval != 0)
		throw std::runtime_error("the ring did not take all records: " +
		                         std::to_string(static_cast<int>(options.retval)));
}

// As Ring::drain of native/src/ring.cc, without numbers for connections.
size_t KernelRing::drain_and_forget()
{
	const uint8_t *data = producer_->data() + page_bytes();
	const uint64_t end = __atomic_load_n(position_of(*producer_), __ATOMIC_ACQUIRE);
	uint64_t position = __atomic_load_n(position_of(*consumer_), __ATOMIC_ACQUIRE);
	size_t written = 0, total = 0;
	while (position < end) {
		const uint8_t *header = data + (position & (size_ - 1));
		uint32_t word = __atomic_load_n(reinterpret_cast<const uint32_t *>(header), __ATOMIC_ACQUIRE);
		if (word & BPF_RINGBUF_BUSY_BIT)
			break;
		uint32_t length = word & ~BPF_RINGBUF_DISCARD_BIT;
		if (aligned(length) > copy_.size() - written) {
			written = 0;
			__atomic_store_n(position_of(*consumer_), position, __ATOMIC_RELEASE);
		}
		std::memcpy(copy_.data() + written, header + BPF_RINGBUF_HDR_SZ, length);
		written += aligned(length);
		total += aligned(length);
		position += aligned(length + BPF_RINGBUF_HDR_SZ);
	}
	__atomic_store_n(position_of(*consumer_), position, __ATOMIC_RELEASE);
	return total;
}

size_t KernelRing::pending() const
{
	uint64_t consumed = __atomic_load_n(position_of(*consumer_), __ATOMIC_ACQUIRE);
	return static_cast<size_t>(__atomic_load_n(position_of(*producer_), __ATOMIC_ACQUIRE) - consumed);
}

MemoryRing::MemoryRing(uint32_t ring_bytes) : bytes_(prepared_bytes(ring_bytes)), copy_(COPY_BYTES) {}

void MemoryRing::feed(uint32_t bytes)
{
	at_ = 0;
	end_ = bytes;
}

size_t MemoryRing::drain(uint8_t *target, size_t capacity)
{
	size_t written = 0;
	while (at_ < end_) {
		auto *record = reinterpret_cast<const spanwire_record *>(bytes_.data() + at_);
		size_t length = aligned(record->length);
		if (length > capacity - written)
			break;
		std::memcpy(target + written, record, record->length);
		reinterpret_cast<spanwire_record *>(target + written)->slot = slots_.slot_of(record->connection);
		at_ += length;
		written += length;
	}
	return written;
}

void MemoryRing::release(const uint32_t *slots, size_t count)
{
	for (size_t index = 0; index < count; index++)
		if (!slots_.release(slots[index]))
			throw std::out_of_range("a slot is not in use");
}

size_t MemoryRing::drain_and_forget()
{
	size_t written = 0, total = 0;
	while (at_ < end_) {
		auto *record = reinterpret_cast<const spanwire_record *>(bytes_.data() + at_);
		size_t length = aligned(record->length);
		if (length > copy_.size() - written)
			written = 0;
		std::memcpy(copy_.data() + written, record, record->length);
		written += length;
		total += length;
		at_ += length;
	}
	return total;
}

} // namespace reference
