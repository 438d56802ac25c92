#include "ring_object.h"

#include "arguments.h"
#include "javascript.h"

namespace spanwire
{

Napi::Function RingObject::define(Napi::Env env)
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

RingObject::RingObject(const Napi::CallbackInfo &info) : ObjectWrap(info)
{
	guarded(info.Env(), [&] { ring_ = std::make_unique<Ring>(descriptor_of(info[0])); });
}

Ring &RingObject::open() const
{
	if (!ring_)
		throw closed_failure("the ring");
	return *ring_;
}

Napi::Value RingObject::drain(const Napi::CallbackInfo &info)
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

void RingObject::release(const Napi::CallbackInfo &info)
{
	guarded(info.Env(), [&] {
		size_t count = uint32_of(info[1], "count");
		open().release(uint32_array_of(info[0], count, "slots"), count);
	});
}

Napi::Value RingObject::pending(const Napi::CallbackInfo &info)
{
	return guarded(info.Env(), [&] { return number(info.Env(), static_cast<double>(open().pending())); });
}

Napi::Value RingObject::size(const Napi::CallbackInfo &info)
{
	return guarded(info.Env(), [&] { return number(info.Env(), static_cast<double>(open().size())); });
}

Napi::Value RingObject::connections(const Napi::CallbackInfo &info)
{
	return guarded(info.Env(), [&] { return number(info.Env(), static_cast<double>(open().connections())); });
}

void RingObject::close(const Napi::CallbackInfo &info)
{
	guarded(info.Env(), [&] {
		open();
		ring_.reset();
	});
}

} // namespace spanwire
