#include "capture.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <unistd.h>

#include <bpf/bpf.h>

#include "errors.h"

namespace spanwire
{

namespace
{

// As bpf/maps.h has them.
using PortSet = std::array<uint64_t, 65536 / 64>;
constexpr uint8_t kSelected = 1;
constexpr uint8_t kDeselected = 0;
constexpr uint32_t kOnly = 0; // key of a map with one entry

uint32_t possible_cpus()
{
	int cpus = libbpf_num_possible_cpus();
	if (cpus < 0)
		throw system_failure(cpus, "cannot count the CPUs");
	if (cpus > SPANWIRE_CPUS_MAX)
		throw range_failure("more than " + std::to_string(SPANWIRE_CPUS_MAX) + " CPUs are not supported");
	return static_cast<uint32_t>(cpus);
}

void check_ring_bytes(const char *name, uint32_t bytes)
{
	uint32_t page = static_cast<uint32_t>(sysconf(_SC_PAGESIZE));
	if (bytes < page || (bytes & (bytes - 1)) != 0)
		throw range_failure(std::string(name) + " must be a power of two and a multiple of the page size");
}

void check_options(const CaptureOptions &options)
{
	if (options.shards < 1 || options.shards > SPANWIRE_SHARDS_MAX)
		throw range_failure("shards must be 1.." + std::to_string(SPANWIRE_SHARDS_MAX));
	if (options.payload_bytes > SPANWIRE_PAYLOAD_MAX)
		throw range_failure("payloadBytes must be 0.." + std::to_string(SPANWIRE_PAYLOAD_MAX));
	check_ring_bytes("ringBytes", options.ring_bytes);
	check_ring_bytes("controlBytes", options.control_bytes);
}

void add(spanwire_counters &sum, const spanwire_counters &one)
{
	constexpr size_t fields = sizeof(spanwire_counters) / sizeof(uint64_t);
	auto *to = reinterpret_cast<__u64 *>(&sum);
	auto *from = reinterpret_cast<const __u64 *>(&one);
	for (size_t field = 0; field < fields; field++)
		to[field] += from[field];
}

} // namespace

Descriptor::~Descriptor()
{
	if (fd_ >= 0)
		::close(fd_);
}

namespace
{

// The verifier gives up with EAGAIN when a signal waits (a profiler's, say): none is delivered while this lives.
class QuietSignals
{
public:
	QuietSignals()
	{
		sigset_t all;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before_);
	}
	~QuietSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
	QuietSignals(const QuietSignals &) = delete;
	QuietSignals &operator=(const QuietSignals &) = delete;

private:
	sigset_t before_;
};

} // namespace

ObjectPointer open_object(const void *bytes, size_t size)
{
	LibbpfLog log;
	LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "spanwire");
	bpf_object *object = size ? bpf_object__open_mem(bytes, size, &options) : nullptr;
	if (!object)
		throw system_failure(size ? errno : EINVAL, "cannot open the BPF object", log.text());
	return ObjectPointer(object);
}

Capture::Capture(const void *bytes, size_t size, const CaptureOptions &options)
{
	check_options(options);
	object_ = open_object(bytes, size);
	configure(options);
	load();
	create_rings(options);
}

bpf_map *Capture::map(const char *name) const
{
	bpf_map *found = bpf_object__find_map_by_name(object_.get(), name);
	if (!found)
		throw Failure("EINVAL", std::string("the BPF object has no map ") + name);
	return found;
}

void Capture::update(const char *name, const void *key, const void *value)
{
	int error = bpf_map_update_elem(bpf_map__fd(map(name)), key, value, BPF_ANY);
	if (error)
		throw system_failure(error, std::string("cannot write to the map ") + name);
}

void Capture::configure(const CaptureOptions &options)
{
	const spanwire_options values = {
		.shards = options.shards,
		.payload_bytes = options.payload_bytes,
		.every_process = options.every_process,
		.own_tgid = options.own_tgid,
	};
	int error = bpf_map__set_initial_value(map(".rodata.options"), &values, sizeof(values));
	if (!error)
		error = bpf_map__set_max_entries(map("scratch"), possible_cpus());
	if (!error)
		error = bpf_map__set_max_entries(map("control"), options.control_bytes);
	if (error)
		throw system_failure(error, "cannot configure the BPF object");
}

int load_object(bpf_object *object)
{
	QuietSignals quiet;
	return bpf_object__load(object);
}

void Capture::load()
{
	LibbpfLog log;
	int error = load_object(object_.get());
	if (error)
		throw system_failure(error, "cannot load the BPF object", log.text());
}

void Capture::create_rings(const CaptureOptions &options)
{
	rings_.reserve(options.shards);
	for (uint32_t shard = 0; shard < options.shards; shard++) {
		int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "shard", 0, 0, options.ring_bytes, nullptr);
		if (fd < 0)
			throw system_failure(fd, "cannot create the ring of shard " + std::to_string(shard));
		rings_.emplace_back(fd);
		update("shards", &shard, &fd);
	}
}

void Capture::attach()
{
	if (!links_.empty())
		throw Failure("EALREADY", "the capture is attached already");
	std::vector<LinkPointer> links;
	bpf_program *program;
	bpf_object__for_each_program(program, object_.get()) {
		LibbpfLog log;
		bpf_link *link = bpf_program__attach(program);
		if (!link)
			throw system_failure(errno, std::string("cannot attach ") + bpf_program__name(program),
			                     log.text());
		links.emplace_back(link);
	}
	links_ = std::move(links);
}

int Capture::ring_fd(uint32_t shard) const
{
	if (shard >= rings_.size())
		throw range_failure("there is no shard " + std::to_string(shard));
	return rings_[shard].get();
}

int Capture::control_fd() const
{
	return bpf_map__fd(map("control"));
}

spanwire_counters Capture::counters() const
{
	std::vector<spanwire_counters> each(possible_cpus());
	int error = bpf_map_lookup_elem(bpf_map__fd(map("counters")), &kOnly, each.data());
	if (error)
		throw system_failure(error, "cannot read the counters");
	spanwire_counters sum = {};
	for (const spanwire_counters &one : each)
		add(sum, one);
	return sum;
}

void Capture::select_process(uint32_t tgid, bool selected)
{
	update("processes", &tgid, selected ? &kSelected : &kDeselected);
}

void Capture::select_ports(const std::vector<PortRange> &ranges)
{
	PortSet set = {};
	for (PortRange range : ranges)
		for (uint32_t port = range.first; port <= range.last; port++)
			set[port / 64] |= uint64_t{1} << (port % 64);
	update("ports", &kOnly, set.data());
}

// First the entry, then the generation: whoever sees the new generation finds the entry.
void Capture::ignore_connection(uint64_t cookie, bool ignored)
{
	const uint8_t verdict = ignored;
	update("ignored", &cookie, &verdict);
	generation_++;
	update("verdicts", &kOnly, &generation_);
}

} // namespace spanwire
