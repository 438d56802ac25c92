// `Ring` of native/index.d.ts: a Ring until it is closed.
#pragma once

#include <memory>

#include <napi.h>

#include "ring.h"

namespace spanwire
{

class RingObject : public Napi::ObjectWrap<RingObject>
{
public:
	static Napi::Function define(Napi::Env env);
	explicit RingObject(const Napi::CallbackInfo &info);

private:
	Ring &open() const;

	Napi::Value drain(const Napi::CallbackInfo &info);
	void release(const Napi::CallbackInfo &info);
	Napi::Value pending(const Napi::CallbackInfo &info);
	Napi::Value size(const Napi::CallbackInfo &info);
	Napi::Value connections(const Napi::CallbackInfo &info);
	void close(const Napi::CallbackInfo &info);

	std::unique_ptr<Ring> ring_;
};

} // namespace spanwire
