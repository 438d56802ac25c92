// Advice to the kernel and the allocator about memory of this process.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spanwire
{

// Zeroes, and the pages go back to the system. Only for memory that is no file's and nobody else's.
void wipe(uint8_t *data, size_t size);

// Large blocks go back to the system when they are freed, threads share heaps, pages are small: from now on.
void keep_heap_lean();

// Gives back what malloc keeps though nobody uses it.
void trim_heap();

} // namespace spanwire
