// `Feeder` of bench/reference.ts.

#pragma once

#include <memory>

#include <napi.h>

#include "conversation.h"
#include "feeder.h"

namespace reference
{

class FeederObject : public Napi::ObjectWrap<FeederObject>
{
public:
	static Napi::Function define(Napi::Env env);
	explicit FeederObject(const Napi::CallbackInfo &info);

private:
	Napi::Value generate(const Napi::CallbackInfo &info);
	void feed(const Napi::CallbackInfo &info);
	Napi::Value floor(const Napi::CallbackInfo &info);
	Napi::Value drain(const Napi::CallbackInfo &info);
	void release(const Napi::CallbackInfo &info);
	Napi::Value pending(const Napi::CallbackInfo &info);
	Napi::Value ring_fd(const Napi::CallbackInfo &info);
	Napi::Value rounds(const Napi::CallbackInfo &info);
	Napi::Value opening(const Napi::CallbackInfo &info);
	void close(const Napi::CallbackInfo &info);

	size_t ring_bytes_ = 0;
	std::unique_ptr<Conversations> conversations_;
	std::unique_ptr<KernelRing> kernel_;
	std::unique_ptr<MemoryRing> memory_;
	Filled filled_;
};

} // namespace reference
