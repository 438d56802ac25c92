// Advice to the kernel and the allocator about memory of this process.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spanwire
{

// Pages that lie wholly in this range stay small: touched here and there, it does not grow by 2 MiB each time.
void no_huge_pages(uint8_t *data, size_t size);

// Large blocks go back to the system when they are freed, and threads share heaps: from now on.
void keep_heap_lean();

// Gives back what malloc keeps though nobody uses it.
void trim_heap();

} // namespace spanwire
