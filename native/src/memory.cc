#include "memory.h"

#include <cstring>

#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace spanwire
{

namespace
{

constexpr int kLargeBlock = 256 * 1024;

} // namespace

// What lies wholly in pages goes back to the system and reads as zero when it is touched again.
void wipe(uint8_t *data, size_t size)
{
	const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
	const uintptr_t begin = reinterpret_cast<uintptr_t>(data);
	const uintptr_t start = (begin + page - 1) & ~(page - 1);
	const uintptr_t end = (begin + size) & ~(page - 1);
	if (end <= start || madvise(reinterpret_cast<void *>(start), end - start, MADV_DONTNEED) != 0) {
		std::memset(data, 0, size);
		return;
	}
	std::memset(data, 0, start - begin);
	std::memset(reinterpret_cast<void *>(end), 0, begin + size - end);
}

// Left alone, glibc raises both thresholds up to 64 MiB with what is freed, and gives each thread a heap of its own: what
// column buffers leave when they have grown is then kept for good. Where transparent huge pages are "always", memory that is
// large and touched here and there grows by 2 MiB with each touch. Failure leaves all as it was.
void keep_heap_lean()
{
	mallopt(M_MMAP_THRESHOLD, kLargeBlock);
	mallopt(M_TRIM_THRESHOLD, kLargeBlock);
	mallopt(M_ARENA_MAX, 1);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

void trim_heap()
{
	malloc_trim(0);
}

} // namespace spanwire
