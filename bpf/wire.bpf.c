// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * What of wire.h has to exist once: the options, in a section of their own that user space fills as a whole.
 */
#include "maps.h"

const volatile struct spanwire_options options SEC(".rodata.options") = {};

/* Never loaded: a section libbpf passes over. It is what keeps wire.h's enums in BTF, where layout.ts reads them. */
struct wire_enums {
	enum spanwire_limit limit;
	enum spanwire_kind kind;
	enum spanwire_direction direction;
	enum spanwire_flag flag;
};

const struct wire_enums wire_enums SEC(".wire.enums") = {};

char LICENSE[] SEC("license") = "Dual BSD/GPL";
