#include "javascript.h"

namespace spanwire
{

Napi::Error to_javascript(Napi::Env env, const Failure &failure)
{
	Napi::Error error = Napi::Error::New(env, failure.what());
	error.Set("code", Napi::String::New(env, failure.code()));
	if (!failure.detail().empty())
		error.Set("detail", Napi::String::New(env, failure.detail()));
	return error;
}

Napi::Value number(Napi::Env env, double value)
{
	return Napi::Number::New(env, value);
}

} // namespace spanwire
