#include "arguments.h"

#include <cmath>
#include <string>

#include "errors.h"

namespace spanwire
{

namespace
{

Failure type_failure(const char *name, const char *expected)
{
	return Failure("ERR_INVALID_ARG_TYPE", std::string(name) + " must be " + expected);
}

double integer_of(Napi::Value value, double least, double most, const char *name)
{
	if (!value.IsNumber())
		throw type_failure(name, "a number");
	double number = value.As<Napi::Number>().DoubleValue();
	if (!(number >= least && number <= most) || std::floor(number) != number)
		throw range_failure(std::string(name) + " must be an integer from " +
		                    std::to_string(static_cast<int64_t>(least)) + " to " +
		                    std::to_string(static_cast<int64_t>(most)));
	return number;
}

uint16_t port_of(Napi::Value value)
{
	return static_cast<uint16_t>(integer_of(value, 0, UINT16_MAX, "port"));
}

PortRange port_range_of(Napi::Value value)
{
	if (!value.IsArray() || value.As<Napi::Array>().Length() != 2)
		throw type_failure("range", "a pair of ports");
	Napi::Array pair = value.As<Napi::Array>();
	PortRange range = {port_of(pair.Get(0u)), port_of(pair.Get(1u))};
	if (range.first > range.last)
		throw range_failure("a range of ports must not end before it starts");
	return range;
}

} // namespace

uint32_t uint32_of(Napi::Value value, const char *name)
{
	return static_cast<uint32_t>(integer_of(value, 0, UINT32_MAX, name));
}

int descriptor_of(Napi::Value value)
{
	return static_cast<int>(integer_of(value, 0, INT32_MAX, "fd"));
}

bool boolean_of(Napi::Value value, const char *name)
{
	if (!value.IsBoolean())
		throw type_failure(name, "a boolean");
	return value.As<Napi::Boolean>().Value();
}

Bytes array_buffer_of(Napi::Value value, const char *name)
{
	if (!value.IsArrayBuffer())
		throw type_failure(name, "an ArrayBuffer");
	Napi::ArrayBuffer buffer = value.As<Napi::ArrayBuffer>();
	if (buffer.IsDetached())
		throw Failure("ERR_DETACHED", std::string(name) + " is detached");
	return {static_cast<uint8_t *>(buffer.Data()), buffer.ByteLength()};
}

Bytes uint8_array_of(Napi::Value value, const char *name)
{
	if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
		throw type_failure(name, "a Uint8Array");
	Napi::Uint8Array array = value.As<Napi::Uint8Array>();
	return {array.Data(), array.ByteLength()};
}

const uint32_t *uint32_array_of(Napi::Value value, size_t count, const char *name)
{
	if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array)
		throw type_failure(name, "a Uint32Array");
	Napi::Uint32Array array = value.As<Napi::Uint32Array>();
	if (array.ElementLength() < count)
		throw range_failure(std::string(name) + " has fewer than " + std::to_string(count) + " elements");
	return array.Data();
}

CaptureOptions options_of(Napi::Value value)
{
	if (!value.IsObject())
		throw type_failure("options", "an object");
	Napi::Object object = value.As<Napi::Object>();
	return {
		.shards = uint32_of(object.Get("shards"), "shards"),
		.ring_bytes = uint32_of(object.Get("ringBytes"), "ringBytes"),
		.control_bytes = uint32_of(object.Get("controlBytes"), "controlBytes"),
		.payload_bytes = uint32_of(object.Get("payloadBytes"), "payloadBytes"),
		.every_process = boolean_of(object.Get("everyProcess"), "everyProcess"),
		.own_tgid = uint32_of(object.Get("ownTgid"), "ownTgid"),
	};
}

std::vector<PortRange> port_ranges_of(Napi::Value value)
{
	if (!value.IsArray())
		throw type_failure("ranges", "an array");
	Napi::Array array = value.As<Napi::Array>();
	std::vector<PortRange> ranges;
	for (uint32_t index = 0; index < array.Length(); index++)
		ranges.push_back(port_range_of(array.Get(index)));
	return ranges;
}

} // namespace spanwire
