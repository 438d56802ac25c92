// JavaScript arguments, checked: each function returns a plain C++ value or throws a Failure that names the argument.
#pragma once

#include <cstdint>
#include <vector>

#include <napi.h>

#include "capture.h"

namespace spanwire
{

// A view into memory that JavaScript owns: valid until JavaScript runs again.
struct Bytes {
	uint8_t *data;
	size_t size;
};

uint32_t uint32_of(Napi::Value value, const char *name);
int descriptor_of(Napi::Value value);
bool boolean_of(Napi::Value value, const char *name);
// Throws ERR_DETACHED for a buffer that was transferred away.
Bytes array_buffer_of(Napi::Value value, const char *name);
Bytes uint8_array_of(Napi::Value value, const char *name);
// At least `count` elements.
const uint32_t *uint32_array_of(Napi::Value value, size_t count, const char *name);
CaptureOptions options_of(Napi::Value value);
std::vector<PortRange> port_ranges_of(Napi::Value value);

} // namespace spanwire
