#include "feeder_object.h"

#include <exception>
#include <stdexcept>
#include <string>

#include "../../native/src/errors.h"

namespace reference
{

namespace
{

constexpr size_t CALL_WORDS = 4;

template <typename Work> auto guarded(Napi::Env env, Work work)
{
	try {
		return work();
	} catch (const Napi::Error &) {
		throw;
	} catch (const spanwire::Failure &failure) {
		Napi::Error error = Napi::Error::New(env, failure.what() + std::string(": ") + failure.code());
		error.Set("code", Napi::String::New(env, failure.code()));
		if (!failure.detail().empty())
			error.Set("detail", Napi::String::New(env, failure.detail()));
		throw error;
	} catch (const std::exception &failure) {
		throw Napi::Error::New(env, failure.what());
	}
}

uint32_t number_of(const Napi::Object &object, const char *name)
{
	return object.Get(name).As<Napi::Number>().Uint32Value();
}

// `calls`: turn, offset, length and direction of each; `streamIds`: call and offset of each; `pairs` by turn.
Conversation conversation_of(const Napi::Object &given)
{
	auto bytes = given.Get("bytes").As<Napi::Uint8Array>();
	auto calls = given.Get("calls").As<Napi::Uint32Array>();
	auto stream_ids = given.Get("streamIds").As<Napi::Uint32Array>();
	auto pairs = given.Get("pairs").As<Napi::Uint32Array>();
	Conversation made = {static_cast<uint16_t>(number_of(given, "port")),
	                     number_of(given, "firstRepeated"),
	                     number_of(given, "stride"),
	                     given.Get("closes").As<Napi::Boolean>(),
	                     {}};
	for (size_t turn = 0; turn < pairs.ElementLength(); turn++)
		made.turns.push_back({{}, pairs[turn]});
	std::vector<Call> all;
	for (size_t at = 0; at + CALL_WORDS <= calls.ElementLength(); at += CALL_WORDS) {
		if (calls[at] >= made.turns.size() || uint64_t{calls[at + 1]} + calls[at + 2] > bytes.ByteLength())
			throw std::out_of_range("a call lies outside of the conversation");
		const uint8_t *from = bytes.Data() + calls[at + 1];
		all.push_back({{from, from + calls[at + 2]}, static_cast<uint8_t>(calls[at + 3] & 1), {}});
	}
	for (size_t at = 0; at + 2 <= stream_ids.ElementLength(); at += 2) {
		Call &call = all.at(stream_ids[at]);
		if (uint64_t{stream_ids[at + 1]} + 4 > call.bytes.size())
			throw std::out_of_range("a stream id lies outside of its call");
		call.stream_ids.push_back(stream_ids[at + 1]);
	}
	for (size_t index = 0; index < all.size(); index++)
		made.turns[calls[index * CALL_WORDS]].calls.push_back(std::move(all[index]));
	if (made.first_repeated >= made.turns.size())
		throw std::out_of_range("nothing of the conversation is repeated");
	return made;
}

std::vector<Conversation> conversations_of(const Napi::Array &given)
{
	std::vector<Conversation> conversations;
	for (uint32_t index = 0; index < given.Length(); index++)
		conversations.push_back(conversation_of(given.Get(index).As<Napi::Object>()));
	if (conversations.empty())
		throw std::out_of_range("there is no conversation");
	return conversations;
}

} // namespace

Napi::Function FeederObject::define(Napi::Env env)
{
	return DefineClass(env, "Feeder",
	                   {
				   InstanceMethod<&FeederObject::generate>("generate"),
				   InstanceMethod<&FeederObject::feed>("feed"),
				   InstanceMethod<&FeederObject::floor>("floor"),
				   InstanceMethod<&FeederObject::drain>("drain"),
				   InstanceMethod<&FeederObject::release>("release"),
				   InstanceMethod<&FeederObject::pending>("pending"),
				   InstanceAccessor<&FeederObject::ring_fd>("ringFd"),
				   InstanceAccessor<&FeederObject::rounds>("rounds"),
				   InstanceAccessor<&FeederObject::opening>("opening"),
				   InstanceMethod<&FeederObject::close>("close"),
			   });
}

// Options as FeederOptions of bench/reference.ts.
FeederObject::FeederObject(const Napi::CallbackInfo &info) : ObjectWrap(info)
{
	guarded(info.Env(), [&] {
		auto options = info[0].As<Napi::Object>();
		ring_bytes_ = number_of(options, "ringBytes");
		conversations_ = std::make_unique<Conversations>(
			conversations_of(options.Get("conversations").As<Napi::Array>()),
			number_of(options, "connections"), number_of(options, "payloadBytes"),
			number_of(options, "lastRound"));
		Napi::Value object = options.Get("object");
		if (object.IsUndefined()) {
			memory_ = std::make_unique<MemoryRing>(ring_bytes_);
			return;
		}
		auto bytes = object.As<Napi::Uint8Array>();
		kernel_ = std::make_unique<KernelRing>(bytes.Data(), bytes.ByteLength(),
		                                       static_cast<uint32_t>(ring_bytes_));
	});
}

Napi::Value FeederObject::generate(const Napi::CallbackInfo &info)
{
	return guarded(info.Env(), [&] {
		// The kernel never fills its ring to the last byte.
		filled_ = conversations_->fill(kernel_ ? kernel_->prepared() : memory_->prepared(), ring_bytes_,
		                               ring_bytes_ - 8);
		Napi::Object result = Napi::Object::New(info.Env());
		result.Set("bytes", static_cast<double>(filled_.bytes));
		result.Set("records", static_cast<double>(filled_.records));
		result.Set("pairs", static_cast<double>(filled_.pairs));
		return Napi::Value(result);
	});
}

void FeederObject::feed(const Napi::CallbackInfo &info)
{
	guarded(info.Env(), [&] {
		auto bytes = static_cast<uint32_t>(filled_.bytes);
		kernel_ ? kernel_->feed(bytes) : memory_->feed(bytes);
	});
}

Napi::Value FeederObject::floor(const Napi::CallbackInfo &info)
{
	size_t bytes = kernel_ ? kernel_->drain_and_forget() : memory_->drain_and_forget();
	return Napi::Number::New(info.Env(), static_cast<double>(bytes));
}

Napi::Value FeederObject::drain(const Napi::CallbackInfo &info)
{
	return guarded(info.Env(), [&]() -> Napi::Value {
		if (!memory_)
			throw std::logic_error("a kernel's ring is drained by the agent's addon");
		auto buffer = info[0].As<Napi::ArrayBuffer>();
		size_t offset = info[1].As<Napi::Number>().Uint32Value();
		size_t capacity = info[2].As<Napi::Number>().Uint32Value();
		if (offset > buffer.ByteLength() || capacity > buffer.ByteLength() - offset)
			throw std::out_of_range("offset and capacity exceed the buffer");
		size_t bytes = memory_->drain(static_cast<uint8_t *>(buffer.Data()) + offset, capacity);
		return Napi::Number::New(info.Env(), static_cast<double>(bytes));
	});
}

void FeederObject::release(const Napi::CallbackInfo &info)
{
	guarded(info.Env(), [&] {
		auto slots = info[0].As<Napi::Uint32Array>();
		size_t count = info[1].As<Napi::Number>().Uint32Value();
		if (count > slots.ElementLength())
			throw std::out_of_range("there are fewer slots");
		if (memory_)
			memory_->release(slots.Data(), count);
	});
}

Napi::Value FeederObject::pending(const Napi::CallbackInfo &info)
{
	size_t bytes = kernel_ ? kernel_->pending() : memory_->pending();
	return Napi::Number::New(info.Env(), static_cast<double>(bytes));
}

Napi::Value FeederObject::ring_fd(const Napi::CallbackInfo &info)
{
	return Napi::Number::New(info.Env(), kernel_ ? kernel_->fd() : -1);
}

Napi::Value FeederObject::rounds(const Napi::CallbackInfo &info)
{
	return Napi::Number::New(info.Env(), static_cast<double>(conversations_->rounds()));
}

Napi::Value FeederObject::opening(const Napi::CallbackInfo &info)
{
	return Napi::Number::New(info.Env(), conversations_->opening());
}

// Nothing works after this.
void FeederObject::close(const Napi::CallbackInfo &)
{
	kernel_.reset();
	memory_.reset();
}

} // namespace reference
