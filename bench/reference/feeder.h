// A ring filled with prepared records, and the floor: what it costs to take them out and do nothing with them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "../../native/src/ring.h"
#include "../../native/src/slots.h"

struct bpf_object;

namespace reference
{

// A kernel's ring with the map that feeds it, filled by feeder.bpf.c.
class KernelRing
{
public:
	KernelRing(const uint8_t *object, size_t object_bytes, uint32_t ring_bytes);

	uint8_t *prepared() { return prepared_->data(); }
	int fd() const { return ring_fd_; }
	// Throws unless the ring takes all of it.
	void feed(uint32_t bytes);
	// The floor: copies each record in turn into a small buffer. Returns their bytes.
	size_t drain_and_forget();
	size_t pending() const;

private:
	struct Close {
		void operator()(bpf_object *object) const;
	};

	std::unique_ptr<bpf_object, Close> object_;
	std::unique_ptr<spanwire::Mapping> prepared_;
	std::unique_ptr<spanwire::Mapping> consumer_;
	std::unique_ptr<spanwire::Mapping> producer_;
	size_t size_;
	int ring_fd_;
	int program_fd_;
	std::vector<uint8_t> copy_;
};

// In place of it where BPF is not permitted: the same records in ordinary memory.
class MemoryRing
{
public:
	explicit MemoryRing(uint32_t ring_bytes);

	uint8_t *prepared() { return bytes_.data(); }
	void feed(uint32_t bytes);
	size_t drain(uint8_t *target, size_t capacity);
	void release(const uint32_t *slots, size_t count);
	size_t drain_and_forget();
	size_t pending() const { return end_ - at_; }

private:
	std::vector<uint8_t> bytes_;
	std::vector<uint8_t> copy_;
	spanwire::Slots slots_;
	size_t at_ = 0;
	size_t end_ = 0;
};

} // namespace reference
