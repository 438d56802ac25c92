// What goes wrong, as one kind of exception: a code a program can test, a message for people and, where the kernel or
// libbpf had more to say, its words. Nothing here knows JavaScript; addon.cc translates.
#pragma once

#include <exception>
#include <string>

namespace spanwire
{

class Failure : public std::exception
{
public:
	Failure(std::string code, std::string message, std::string detail = {});

	const char *what() const noexcept override { return message_.c_str(); }
	const std::string &code() const noexcept { return code_; }
	const std::string &detail() const noexcept { return detail_; }

private:
	std::string code_;
	std::string message_;
	std::string detail_;
};

// "EPERM" for EPERM or -EPERM.
std::string errno_name(int error);

// A failed system or libbpf call: the code is the errno's name.
Failure system_failure(int error, const std::string &what, std::string detail = {});
Failure range_failure(const std::string &message);
Failure closed_failure(const char *what);

// Collects what libbpf prints on this thread while it lives. libbpf has one print function for the whole process; it
// is set once and finds the thread's collector by itself.
class LibbpfLog
{
public:
	LibbpfLog();
	~LibbpfLog();
	LibbpfLog(const LibbpfLog &) = delete;
	LibbpfLog &operator=(const LibbpfLog &) = delete;

	const std::string &text() const { return text_; }

private:
	std::string text_;
	std::string *outer_;
};

} // namespace spanwire
