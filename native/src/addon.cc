// The exports of native/index.d.ts, and nothing else: arguments in, Failures out as JavaScript errors. All state is in
// the objects made here and belongs to one environment, so any number of threads may load the addon.

#include <cstring>
#include <ctime>
#include <memory>
#include <new>

#include <napi.h>

#include "arguments.h"
#include "capture.h"
#include "errors.h"
#include "probe.h"
#include "ring.h"

namespace spanwire
{

namespace
{

Napi::Error to_javascript(Napi::Env env, const Failure &failure)
{
	Napi::Error error = Napi::Error::New(env, failure.what());
	error.Set("code", Napi::String::New(env, failure.code()));
	if (!failure.detail().empty())
		error.Set("detail", Napi::String::New(env, failure.detail()));
	return error;
}

// Runs the body of an export; no C++ exception but Napi::Error leaves it.
template <typename Body> auto guarded(Napi::Env env, Body body)
{
	try {
		return body();
	} catch (const Failure &failure) {
		throw to_javascript(env, failure);
	} catch (const std::bad_alloc &) {
		throw to_javascript(env, Failure("ENOMEM", "out of memory"));
	}
}

Napi::Value number(Napi::Env env, double value)
{
	return Napi::Number::New(env, value);
}

class CaptureObject : public Napi::ObjectWrap<CaptureObject>
{
public:
	static Napi::Function define(Napi::Env env)
	{
		return DefineClass(env, "Capture",
		                   {
					   InstanceMethod<&CaptureObject::attach>("attach"),
					   InstanceMethod<&CaptureObject::detach>("detach"),
					   InstanceMethod<&CaptureObject::ring_fd>("ringFd"),
					   InstanceMethod<&CaptureObject::control_fd>("controlFd"),
					   InstanceMethod<&CaptureObject::counters>("counters"),
					   InstanceMethod<&CaptureObject::select_process>("selectProcess"),
					   InstanceMethod<&CaptureObject::select_ports>("selectPorts"),
					   InstanceMethod<&CaptureObject::ignore_connection>("ignoreConnection"),
					   InstanceMethod<&CaptureObject::close>("close"),
				   });
	}

	explicit CaptureObject(const Napi::CallbackInfo &info) : ObjectWrap(info)
	{
		guarded(info.Env(), [&] {
			CaptureOptions options = options_of(info[1]); // first: its getters are JavaScript
			Bytes object = uint8_array_of(info[0], "object");
			capture_ = std::make_unique<Capture>(object.data, object.size, options);
		});
	}

private:
	Capture &open() const
	{
		if (!capture_)
			throw closed_failure("the capture");
		return *capture_;
	}

	void attach(const Napi::CallbackInfo &info)
	{
		guarded(info.Env(), [&] { open().attach(); });
	}

	void detach(const Napi::CallbackInfo &info)
	{
		guarded(info.Env(), [&] { open().detach(); });
	}

	Napi::Value ring_fd(const Napi::CallbackInfo &info)
	{
		return guarded(info.Env(),
		               [&] { return number(info.Env(), open().ring_fd(uint32_of(info[0], "shard"))); });
	}

	Napi::Value control_fd(const Napi::CallbackInfo &info)
	{
		return guarded(info.Env(), [&] { return number(info.Env(), open().control_fd()); });
	}

	Napi::Value counters(const Napi::CallbackInfo &info);

	void select_process(const Napi::CallbackInfo &info)
	{
		guarded(info.Env(),
		        [&] { open().select_process(uint32_of(info[0], "tgid"), boolean_of(info[1], "selected")); });
	}

	void select_ports(const Napi::CallbackInfo &info)
	{
		guarded(info.Env(), [&] {
			std::vector<PortRange> ranges = port_ranges_of(info[0]);
			open().select_ports(ranges);
		});
	}

	void ignore_connection(const Napi::CallbackInfo &info)
	{
		guarded(info.Env(), [&] {
			uint64_t low = uint32_of(info[0], "cookieLow");
			uint64_t high = uint32_of(info[1], "cookieHigh");
			open().ignore_connection(high << 32 | low);
		});
	}

	void close(const Napi::CallbackInfo &info)
	{
		guarded(info.Env(), [&] {
			open();
			capture_.reset();
		});
	}

	std::unique_ptr<Capture> capture_;
};

Napi::Value CaptureObject::counters(const Napi::CallbackInfo &info)
{
	return guarded(info.Env(), [&]() -> Napi::Value {
		const spanwire_counters sum = open().counters();
		Napi::Object result = Napi::Object::New(info.Env());
		auto set = [&](const char *name, __u64 value) { result.Set(name, static_cast<double>(value)); };
		set("records_tried", sum.records_tried);
		set("records_lost", sum.records_lost);
		set("bytes_lost", sum.bytes_lost);
		set("bytes_moved", sum.bytes_moved);
		set("bytes_captured", sum.bytes_captured);
		set("control_lost", sum.control_lost);
		set("filtered_process", sum.filtered_process);
		set("filtered_socket", sum.filtered_socket);
		set("filtered_own", sum.filtered_own);
		set("filtered_verdict", sum.filtered_verdict);
		set("peeked", sum.peeked);
		set("no_payload", sum.no_payload);
		set("faults", sum.faults);
		set("storage_failed", sum.storage_failed);
		return result;
	});
}

class RingObject : public Napi::ObjectWrap<RingObject>
{
public:
	static Napi::Function define(Napi::Env env)
	{
		return DefineClass(env, "Ring",
		                   {
					   InstanceMethod<&RingObject::drain>("drain"),
					   InstanceMethod<&RingObject::release>("release"),
					   InstanceMethod<&RingObject::pending>("pending"),
					   InstanceAccessor<&RingObject::size>("size"),
					   InstanceAccessor<&RingObject::connections>("connections"),
					   InstanceMethod<&RingObject::close>("close"),
				   });
	}

	explicit RingObject(const Napi::CallbackInfo &info) : ObjectWrap(info)
	{
		guarded(info.Env(), [&] { ring_ = std::make_unique<Ring>(descriptor_of(info[0])); });
	}

private:
	Ring &open() const
	{
		if (!ring_)
			throw closed_failure("the ring");
		return *ring_;
	}

	Napi::Value drain(const Napi::CallbackInfo &info)
	{
		return guarded(info.Env(), [&] {
			Bytes buffer = array_buffer_of(info[0], "buffer");
			size_t offset = uint32_of(info[1], "offset");
			size_t capacity = uint32_of(info[2], "capacity");
			if (offset % 8 != 0)
				throw range_failure("offset must be a multiple of 8");
			if (offset > buffer.size || capacity > buffer.size - offset)
				throw range_failure("offset and capacity exceed the buffer");
			return number(info.Env(), static_cast<double>(open().drain(buffer.data + offset, capacity)));
		});
	}

	void release(const Napi::CallbackInfo &info)
	{
		guarded(info.Env(), [&] {
			size_t count = uint32_of(info[1], "count");
			open().release(uint32_array_of(info[0], count, "slots"), count);
		});
	}

	Napi::Value pending(const Napi::CallbackInfo &info)
	{
		return guarded(info.Env(), [&] { return number(info.Env(), static_cast<double>(open().pending())); });
	}

	Napi::Value size(const Napi::CallbackInfo &info)
	{
		return guarded(info.Env(), [&] { return number(info.Env(), static_cast<double>(open().size())); });
	}

	Napi::Value connections(const Napi::CallbackInfo &info)
	{
		return guarded(info.Env(),
		               [&] { return number(info.Env(), static_cast<double>(open().connections())); });
	}

	void close(const Napi::CallbackInfo &info)
	{
		guarded(info.Env(), [&] {
			open();
			ring_.reset();
		});
	}

	std::unique_ptr<Ring> ring_;
};

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

Napi::Object initialize(Napi::Env env, Napi::Object exports)
{
	exports.Set("Capture", CaptureObject::define(env));
	exports.Set("Ring", RingObject::define(env));
	exports.Set("copyPieces", Napi::Function::New<copy_pieces>(env, "copyPieces"));
	exports.Set("probe", Napi::Function::New<probe_features>(env, "probe"));
	exports.Set("realtimeOffset", Napi::Function::New<realtime_offset>(env, "realtimeOffset"));
	return exports;
}

NODE_API_MODULE(spanwire, initialize)

} // namespace

} // namespace spanwire
