// The reading end of one BPF ring buffer. The kernel writes records and a producer position; we read, and write the
// consumer position, which frees the space. Both positions only grow. A record has an 8-byte header of its own: its
// length with a busy and a discard bit.
// https://docs.kernel.org/bpf/ringbuf.html
#pragma once

#include <cstddef>
#include <cstdint>

#include "slots.h"

namespace spanwire
{

// A mapping of pages, unmapped at the end of its life.
class Mapping
{
public:
	Mapping(int fd, size_t offset, size_t size, bool writable);
	~Mapping();
	Mapping(const Mapping &) = delete;
	Mapping &operator=(const Mapping &) = delete;

	uint8_t *data() const { return data_; }

private:
	uint8_t *data_;
	size_t size_;
};

// Throws unless the descriptor is a ring buffer; returns the bytes it holds.
size_t ring_bytes_of(int fd);

class Ring
{
public:
	explicit Ring(int fd);

	size_t drain(uint8_t *target, size_t capacity);
	void release(const uint32_t *slots, size_t count);
	size_t pending() const;
	size_t size() const { return size_; }
	size_t connections() const { return slots_.size(); }

private:
	void copy_record(uint8_t *target, const uint8_t *data, size_t offset, uint32_t length);

	size_t size_;
	Mapping consumer_; // one page, ours to write
	// One page and then the data. The kernel offers the data twice in a row, so that no record is broken; but all pages
	// of a mapping count as resident from the start, so the second half would cost as much again in what users see.
	Mapping producer_;
	Slots slots_;
};

} // namespace spanwire
