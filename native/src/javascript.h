// Between C++ and JavaScript: Failures become errors with a code.
#pragma once

#include <new>

#include <napi.h>

#include "errors.h"

namespace spanwire
{

Napi::Error to_javascript(Napi::Env env, const Failure &failure);
Napi::Value number(Napi::Env env, double value);

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

} // namespace spanwire
