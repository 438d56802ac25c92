// What this kernel and these capabilities allow, found out by trying: nothing is concluded from version numbers.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace spanwire
{

struct Feature {
	std::string name;
	bool ok = true;
	std::string code;   // when not ok
	std::string detail; // when not ok: the kernel's or the verifier's words
};

// Each program of the object on its own, loaded and attached for a moment; and before them what they all need:
// BTF, map types, capabilities.
std::vector<Feature> probe(const void *bytes, size_t size);

} // namespace spanwire
