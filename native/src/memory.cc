#include "memory.h"

#include <cerrno>

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "errors.h"

namespace spanwire
{

namespace
{

constexpr int kLargeBlock = 256 * 1024;

} // namespace

void no_huge_pages(uint8_t *data, size_t size)
{
	const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
	const uintptr_t start = (reinterpret_cast<uintptr_t>(data) + page - 1) & ~(page - 1);
	const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + size) & ~(page - 1);
	if (end <= start)
		return;
	// The range is aligned, so EINVAL is a kernel that was built without huge pages.
	if (madvise(reinterpret_cast<void *>(start), end - start, MADV_NOHUGEPAGE) != 0 && errno != EINVAL)
		throw system_failure(errno, "cannot keep pages small");
}

// Left alone, glibc raises both thresholds up to 64 MiB with what is freed, and gives each thread a heap of its own: what
// column buffers leave when they have grown is then kept for good. Failure leaves all as it was.
void keep_heap_lean()
{
	mallopt(M_MMAP_THRESHOLD, kLargeBlock);
	mallopt(M_TRIM_THRESHOLD, kLargeBlock);
	mallopt(M_ARENA_MAX, 1);
}

void trim_heap()
{
	malloc_trim(0);
}

} // namespace spanwire
