#include "probe.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "capture.h"
#include "errors.h"

namespace spanwire
{

namespace
{

Feature allowed(std::string name)
{
	Feature feature;
	feature.name = std::move(name);
	return feature;
}

Feature refused(std::string name, int error, std::string detail)
{
	Feature feature;
	feature.name = std::move(name);
	feature.ok = false;
	feature.code = errno_name(error);
	feature.detail = detail.empty() ? std::strerror(error < 0 ? -error : error) : std::move(detail);
	return feature;
}

Feature probe_btf()
{
	const char *path = "/sys/kernel/btf/vmlinux";
	if (access(path, R_OK) == 0)
		return allowed("btf");
	return refused("btf", errno, std::string(path) + ": " + std::strerror(errno));
}

Feature probe_map_type(const char *name, bpf_map_type type)
{
	LibbpfLog log;
	errno = 0;
	int result = libbpf_probe_bpf_map_type(type, nullptr);
	if (result == 1)
		return allowed(name);
	// 0 is "no" for whatever reason; which one, the last system call has left behind.
	return refused(name, result < 0 ? result : errno ? errno : EOPNOTSUPP, log.text());
}

bool is_effective(const __user_cap_data_struct *sets, int capability)
{
	return sets[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

// CAP_SYS_ADMIN stands for both, as before Linux 5.8.
Feature probe_capability(const char *name, int capability)
{
	__user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	__user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
	if (syscall(SYS_capget, &header, sets) != 0)
		return refused(name, errno, {});
	if (is_effective(sets, capability) || is_effective(sets, CAP_SYS_ADMIN))
		return allowed(name);
	return refused(name, EPERM, "not in the effective set of this process");
}

Feature probe_program(const void *bytes, size_t size, const std::string &name)
{
	ObjectPointer object = open_object(bytes, size);
	bpf_program *program, *wanted = nullptr;
	bpf_object__for_each_program(program, object.get()) {
		bool is_wanted = name == bpf_program__name(program);
		bpf_program__set_autoload(program, is_wanted);
		if (is_wanted)
			wanted = program;
	}
	std::string title = "program:" + name + " (" + bpf_program__section_name(wanted) + ")";
	LibbpfLog log;
	int error = load_object(object.get());
	if (error)
		return refused(std::move(title), error, log.text());
	LinkPointer link(bpf_program__attach(wanted));
	if (!link)
		return refused(std::move(title), errno, log.text());
	return allowed(std::move(title));
}

std::vector<std::string> program_names(const void *bytes, size_t size)
{
	ObjectPointer object = open_object(bytes, size);
	std::vector<std::string> names;
	bpf_program *program;
	bpf_object__for_each_program(program, object.get())
		names.emplace_back(bpf_program__name(program));
	return names;
}

} // namespace

std::vector<Feature> probe(const void *bytes, size_t size)
{
	std::vector<Feature> features = {
		probe_capability("capability:CAP_BPF", CAP_BPF),
		probe_capability("capability:CAP_PERFMON", CAP_PERFMON),
		probe_btf(),
		probe_map_type("map:ringbuf", BPF_MAP_TYPE_RINGBUF),
		probe_map_type("map:array_of_maps", BPF_MAP_TYPE_ARRAY_OF_MAPS),
		probe_map_type("map:sk_storage", BPF_MAP_TYPE_SK_STORAGE),
	};
	for (const std::string &name : program_names(bytes, size))
		features.push_back(probe_program(bytes, size, name));
	return features;
}

} // namespace spanwire
