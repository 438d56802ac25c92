#include "capture_object.h"

#include "arguments.h"
#include "javascript.h"

namespace spanwire
{

Napi::Function CaptureObject::define(Napi::Env env)
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

CaptureObject::CaptureObject(const Napi::CallbackInfo &info) : ObjectWrap(info)
{
	guarded(info.Env(), [&] {
		CaptureOptions options = options_of(info[1]); // first: its getters are JavaScript
		Bytes object = uint8_array_of(info[0], "object");
		capture_ = std::make_unique<Capture>(object.data, object.size, options);
	});
}

Capture &CaptureObject::open() const
{
	if (!capture_)
		throw closed_failure("the capture");
	return *capture_;
}

void CaptureObject::attach(const Napi::CallbackInfo &info)
{
	guarded(info.Env(), [&] { open().attach(); });
}

void CaptureObject::detach(const Napi::CallbackInfo &info)
{
	guarded(info.Env(), [&] { open().detach(); });
}

Napi::Value CaptureObject::ring_fd(const Napi::CallbackInfo &info)
{
	return guarded(info.Env(), [&] { return number(info.Env(), open().ring_fd(uint32_of(info[0], "shard"))); });
}

Napi::Value CaptureObject::control_fd(const Napi::CallbackInfo &info)
{
	return guarded(info.Env(), [&] { return number(info.Env(), open().control_fd()); });
}

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

void CaptureObject::select_process(const Napi::CallbackInfo &info)
{
	guarded(info.Env(), [&] {
		uint32_t tgid = uint32_of(info[0], "tgid");
		bool selected = boolean_of(info[1], "selected");
		open().select_process(tgid, selected);
	});
}

void CaptureObject::select_ports(const Napi::CallbackInfo &info)
{
	guarded(info.Env(), [&] {
		std::vector<PortRange> ranges = port_ranges_of(info[0]);
		open().select_ports(ranges);
	});
}

void CaptureObject::ignore_connection(const Napi::CallbackInfo &info)
{
	guarded(info.Env(), [&] {
		uint64_t low = uint32_of(info[0], "cookieLow");
		uint64_t high = uint32_of(info[1], "cookieHigh");
		open().ignore_connection(high << 32 | low, boolean_of(info[2], "ignored"));
	});
}

void CaptureObject::close(const Napi::CallbackInfo &info)
{
	guarded(info.Env(), [&] {
		open();
		capture_.reset();
	});
}

} // namespace spanwire
