// `Capture` of native/index.d.ts: a Capture until it is closed.
#pragma once

#include <memory>

#include <napi.h>

#include "capture.h"

namespace spanwire
{

class CaptureObject : public Napi::ObjectWrap<CaptureObject>
{
public:
	static Napi::Function define(Napi::Env env);
	explicit CaptureObject(const Napi::CallbackInfo &info);

private:
	Capture &open() const;

	void attach(const Napi::CallbackInfo &info);
	void detach(const Napi::CallbackInfo &info);
	Napi::Value ring_fd(const Napi::CallbackInfo &info);
	Napi::Value control_fd(const Napi::CallbackInfo &info);
	Napi::Value counters(const Napi::CallbackInfo &info);
	void select_process(const Napi::CallbackInfo &info);
	void select_ports(const Napi::CallbackInfo &info);
	void ignore_connection(const Napi::CallbackInfo &info);
	void close(const Napi::CallbackInfo &info);

	std::unique_ptr<Capture> capture_;
};

} // namespace spanwire
