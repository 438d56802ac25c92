#include "errors.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include <bpf/libbpf.h>

namespace spanwire
{

namespace
{

// A verifier log can have megabytes; its end is what says why.
constexpr size_t kLogKept = 64 * 1024;
constexpr size_t kLineMax = 16 * 1024;

thread_local std::string *collector = nullptr;

int collect(libbpf_print_level level, const char *format, va_list arguments)
{
	if (!collector || level == LIBBPF_DEBUG)
		return 0;
	std::string line(kLineMax, '\0');
	va_list copy;
	va_copy(copy, arguments);
	int length = std::vsnprintf(line.data(), line.size(), format, copy);
	va_end(copy);
	if (length < 0)
		return 0;
	if (static_cast<size_t>(length) >= line.size()) {
		line.resize(static_cast<size_t>(length) + 1);
		std::vsnprintf(line.data(), line.size(), format, arguments);
	}
	line.resize(static_cast<size_t>(length));
	collector->append(line);
	if (collector->size() > kLogKept)
		collector->erase(0, collector->size() - kLogKept);
	return length;
}

} // namespace

Failure::Failure(std::string code, std::string message, std::string detail)
	: code_(std::move(code)), message_(std::move(message)), detail_(std::move(detail))
{
}

std::string errno_name(int error)
{
	const char *name = strerrorname_np(std::abs(error));
	return name ? name : "EUNKNOWN";
}

Failure system_failure(int error, const std::string &what, std::string detail)
{
	return Failure(errno_name(error), what + ": " + std::strerror(std::abs(error)), std::move(detail));
}

Failure range_failure(const std::string &message)
{
	return Failure("ERR_RANGE", message);
}

Failure closed_failure(const char *what)
{
	return Failure("ERR_CLOSED", std::string(what) + " is closed");
}

LibbpfLog::LibbpfLog() : outer_(collector)
{
	static std::once_flag once;
	std::call_once(once, [] { libbpf_set_print(collect); });
	collector = &text_;
}

LibbpfLog::~LibbpfLog()
{
	collector = outer_;
}

} // namespace spanwire
