// A loaded BPF object: its programs, its maps and the rings it fills. Everything the kernel side is told goes through
// here; the constructor leaves a complete object or throws, the destructor detaches and frees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <bpf/libbpf.h>
#include <linux/types.h>

#include "../../bpf/wire.h"

namespace spanwire
{

struct CaptureOptions {
	uint32_t shards;
	uint32_t ring_bytes;
	uint32_t control_bytes;
	uint32_t payload_bytes;
	bool every_process;
	uint32_t own_tgid;
};

struct PortRange {
	uint16_t first;
	uint16_t last;
};

class Descriptor
{
public:
	explicit Descriptor(int fd) : fd_(fd) {}
	~Descriptor();
	Descriptor(Descriptor &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
	Descriptor(const Descriptor &) = delete;
	Descriptor &operator=(const Descriptor &) = delete;
	Descriptor &operator=(Descriptor &&) = delete;

	int get() const { return fd_; }

private:
	int fd_;
};

struct ObjectDeleter {
	void operator()(bpf_object *object) const { bpf_object__close(object); }
};
struct LinkDeleter {
	void operator()(bpf_link *link) const { bpf_link__destroy(link); }
};
using ObjectPointer = std::unique_ptr<bpf_object, ObjectDeleter>;
using LinkPointer = std::unique_ptr<bpf_link, LinkDeleter>;

// Opens an ELF file in memory; nothing is loaded yet.
ObjectPointer open_object(const void *bytes, size_t size);
// bpf_object__load() that no signal interrupts.
int load_object(bpf_object *object);

class Capture
{
public:
	Capture(const void *bytes, size_t size, const CaptureOptions &options);

	void attach();
	// Stops the capture; rings and counters stay readable.
	void detach() { links_.clear(); }
	int ring_fd(uint32_t shard) const;
	int control_fd() const;
	spanwire_counters counters() const;
	void select_process(uint32_t tgid, bool selected);
	void select_ports(const std::vector<PortRange> &ranges);
	void ignore_connection(uint64_t cookie, bool ignored);

private:
	bpf_map *map(const char *name) const;
	void update(const char *name, const void *key, const void *value);
	void configure(const CaptureOptions &options);
	void load();
	void create_rings(const CaptureOptions &options);

	// Destroyed from the last to the first: the programs are detached before anything they use goes.
	ObjectPointer object_;
	std::vector<Descriptor> rings_;
	uint32_t generation_ = 0;
	std::vector<LinkPointer> links_;
};

} // namespace spanwire
