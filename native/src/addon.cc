// The exports of native/index.d.ts, and nothing else. All state is in the objects made here and belongs to one
// environment, so any number of threads may load the addon.

#include <cstring>
#include <ctime>

#include <napi.h>

#include "arguments.h"
#include "capture_object.h"
#include "javascript.h"
#include "memory.h"
#include "probe.h"
#include "ring_object.h"

namespace spanwire
{

namespace
{

void check_piece(const uint32_t *piece, const Bytes &source, const Bytes &target)
{
	uint64_t from = piece[0], to = piece[1], length = piece[2];
	if (from + length > source.size || to + length > target.size)
		throw range_failure("a piece exceeds its buffer");
}

// memmove: source and target may be the same buffer.
void copy_pieces(const Napi::CallbackInfo &info)
{
	guarded(info.Env(), [&] {
		Bytes source = array_buffer_of(info[0], "source");
		Bytes target = array_buffer_of(info[1], "target");
		size_t count = uint32_of(info[3], "count");
		const uint32_t *table = uint32_array_of(info[2], count * 3, "table");
		for (size_t index = 0; index < count; index++)
			check_piece(table + index * 3, source, target);
		for (const uint32_t *piece = table; piece < table + count * 3; piece += 3)
			std::memmove(target.data + piece[1], source.data + piece[0], piece[2]);
	});
}

Napi::Object feature_object(Napi::Env env, const Feature &feature)
{
	Napi::Object object = Napi::Object::New(env);
	object.Set("name", feature.name);
	object.Set("ok", feature.ok);
	if (!feature.ok) {
		object.Set("code", feature.code);
		object.Set("detail", feature.detail);
	}
	return object;
}

Napi::Value probe_features(const Napi::CallbackInfo &info)
{
	return guarded(info.Env(), [&]() -> Napi::Value {
		Bytes object = uint8_array_of(info[0], "object");
		std::vector<Feature> features = probe(object.data, object.size);
		Napi::Array result = Napi::Array::New(info.Env(), features.size());
		for (uint32_t index = 0; index < features.size(); index++)
			result.Set(index, feature_object(info.Env(), features[index]));
		return result;
	});
}

int64_t nanoseconds(clockid_t clock)
{
	timespec now = {};
	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

// The narrowest of a few tries: a preemption between the readings would be taken for an offset.
int64_t realtime_minus_monotonic()
{
	int64_t narrowest = INT64_MAX, offset = 0;
	for (int attempt = 0; attempt < 5; attempt++) {
		int64_t before = nanoseconds(CLOCK_MONOTONIC);
		int64_t realtime = nanoseconds(CLOCK_REALTIME);
		int64_t after = nanoseconds(CLOCK_MONOTONIC);
		if (after - before >= narrowest)
			continue;
		narrowest = after - before;
		offset = realtime - (before + narrowest / 2);
	}
	return offset;
}

Napi::Value realtime_offset(const Napi::CallbackInfo &info)
{
	uint64_t offset = static_cast<uint64_t>(realtime_minus_monotonic());
	Napi::Array halves = Napi::Array::New(info.Env(), 2);
	halves.Set(0u, number(info.Env(), static_cast<uint32_t>(offset)));
	halves.Set(1u, number(info.Env(), static_cast<uint32_t>(offset >> 32)));
	return halves;
}

void wipe_buffer(const Napi::CallbackInfo &info)
{
	guarded(info.Env(), [&] {
		Bytes buffer = array_buffer_of(info[0], "buffer");
		wipe(buffer.data, buffer.size);
	});
}

void keep_heap_lean_now(const Napi::CallbackInfo &)
{
	keep_heap_lean();
}

void trim_heap_now(const Napi::CallbackInfo &)
{
	trim_heap();
}

Napi::Object initialize(Napi::Env env, Napi::Object exports)
{
	exports.Set("Capture", CaptureObject::define(env));
	exports.Set("Ring", RingObject::define(env));
	exports.Set("copyPieces", Napi::Function::New<copy_pieces>(env, "copyPieces"));
	exports.Set("wipe", Napi::Function::New<wipe_buffer>(env, "wipe"));
	exports.Set("keepHeapLean", Napi::Function::New<keep_heap_lean_now>(env, "keepHeapLean"));
	exports.Set("trimHeap", Napi::Function::New<trim_heap_now>(env, "trimHeap"));
	exports.Set("probe", Napi::Function::New<probe_features>(env, "probe"));
	exports.Set("realtimeOffset", Napi::Function::New<realtime_offset>(env, "realtimeOffset"));
	return exports;
}

NODE_API_MODULE(spanwire, initialize)

} // namespace

} // namespace spanwire
