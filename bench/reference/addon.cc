// What bench/reference.ts sees: bytes with a table of chunks (u32 offset, length, stream each) in, counts out.

#include <ctime>
#include <exception>

#include <napi.h>

#include "feeder_object.h"
#include "parsers.h"

namespace reference
{

namespace
{

constexpr size_t WORDS = 3;

Chunks chunks_of(const Napi::CallbackInfo &info)
{
	auto bytes = info[0].As<Napi::Uint8Array>();
	auto table = info[1].As<Napi::Uint32Array>();
	Chunks chunks;
	for (size_t at = 0; at + WORDS <= table.ElementLength(); at += WORDS) {
		uint64_t offset = table[at], length = table[at + 1];
		if (offset + length > bytes.ByteLength() || table[at + 2] > 1)
			throw std::out_of_range("a chunk lies outside of the bytes");
		chunks.push_back({bytes.Data() + offset, length, table[at + 2]});
	}
	return chunks;
}

template <typename Work> Napi::Value counted(const Napi::CallbackInfo &info, Work work)
{
	Napi::Env env = info.Env();
	try {
		Counts counts = work(chunks_of(info), info[2].As<Napi::Number>().Uint32Value());
		Napi::Object result = Napi::Object::New(env);
		result.Set("items", static_cast<double>(counts.items));
		result.Set("bytes", static_cast<double>(counts.bytes));
		return result;
	} catch (const Napi::Error &) {
		throw;
	} catch (const std::exception &failure) {
		throw Napi::Error::New(env, failure.what());
	}
}

Napi::Value parse_http(const Napi::CallbackInfo &info)
{
	return counted(info, reference::parse_http);
}

Napi::Value parse_resp(const Napi::CallbackInfo &info)
{
	bool makes_objects = info[3].As<Napi::Boolean>();
	return counted(info, [makes_objects](const Chunks &chunks, uint32_t laps) {
		return reference::parse_resp(chunks, laps, makes_objects);
	});
}

Napi::Value inflate_hpack(const Napi::CallbackInfo &info)
{
	return counted(info, reference::inflate_hpack);
}

Fields fields_of(const Napi::Array &list)
{
	Fields fields;
	for (uint32_t index = 0; index < list.Length(); index++) {
		Napi::Array pair = list.Get(index).As<Napi::Array>();
		fields.emplace_back(pair.Get(0u).ToString().Utf8Value(), pair.Get(1u).ToString().Utf8Value());
	}
	return fields;
}

Napi::Value deflate_hpack(const Napi::CallbackInfo &info)
{
	auto lists = info[0].As<Napi::Array>();
	std::vector<Fields> blocks;
	for (uint32_t index = 0; index < lists.Length(); index++)
		blocks.push_back(fields_of(lists.Get(index).As<Napi::Array>()));
	auto encoded = reference::deflate_hpack(blocks);
	Napi::Array result = Napi::Array::New(info.Env(), encoded.size());
	for (uint32_t index = 0; index < encoded.size(); index++)
		result.Set(index,
		           Napi::Buffer<uint8_t>::Copy(info.Env(), encoded[index].data(), encoded[index].size()));
	return result;
}

// The kernel's exact account: getrusage counts in ticks.
Napi::Value thread_cpu_ns(const Napi::CallbackInfo &info)
{
	timespec now = {};
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return Napi::Number::New(info.Env(), static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec));
}

Napi::Object init(Napi::Env env, Napi::Object exports)
{
	exports.Set("parseHttp", Napi::Function::New(env, parse_http));
	exports.Set("parseResp", Napi::Function::New(env, parse_resp));
	exports.Set("inflateHpack", Napi::Function::New(env, inflate_hpack));
	exports.Set("deflateHpack", Napi::Function::New(env, deflate_hpack));
	exports.Set("threadCpuNs", Napi::Function::New(env, thread_cpu_ns));
	exports.Set("Feeder", FeederObject::define(env));
	return exports;
}

} // namespace

} // namespace reference

static Napi::Object initialize(Napi::Env env, Napi::Object exports)
{
	return reference::init(env, exports);
}

NODE_API_MODULE(reference, initialize)
