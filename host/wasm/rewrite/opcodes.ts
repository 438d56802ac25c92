/**
 * Numbers of the WebAssembly binary format that the rewriter writes or looks for. Of an instruction with a prefix, the
 * prefix is the upper byte. https://webassembly.github.io/spec/core/binary/instructions.html
 */

// ── sections ──────────────────────────────────────────────────────────────────────────────────────────────────────
export const CUSTOM = 0;
export const TYPE = 1;
export const IMPORT = 2;
export const FUNCTION = 3;
export const TABLE = 4;
export const MEMORY = 5;
export const GLOBAL = 6;
export const EXPORT = 7;
export const START = 8;
export const ELEMENT = 9;
export const CODE = 10;
export const DATA = 11;
export const DATA_COUNT = 12;
export const TAG = 13;

// ── kinds of imports and exports ──────────────────────────────────────────────────────────────────────────────────
export const KIND_FUNCTION = 0;
export const KIND_TABLE = 1;
export const KIND_MEMORY = 2;
export const KIND_GLOBAL = 3;
export const KIND_TAG = 4;

// ── types ─────────────────────────────────────────────────────────────────────────────────────────────────────────
export const I32 = 0x7f;
export const FUNCTION_TYPE = 0x60;
export const NO_RESULT = 0x40;
export const MUTABLE = 1;

// ── instructions ──────────────────────────────────────────────────────────────────────────────────────────────────
export const UNREACHABLE = 0x00;
export const BLOCK = 0x02;
export const LOOP = 0x03;
export const IF = 0x04;
export const END = 0x0b;
export const CALL = 0x10;
export const SELECT = 0x1b;
export const LOCAL_GET = 0x20;
export const LOCAL_TEE = 0x22;
export const GLOBAL_GET = 0x23;
export const GLOBAL_SET = 0x24;
export const TABLE_SET = 0x26;
export const MEMORY_GROW = 0x40;
export const I32_CONST = 0x41;
export const I64_CONST = 0x42;
export const F32_CONST = 0x43;
export const F64_CONST = 0x44;
export const I32_LT_S = 0x48;
export const I32_LE_U = 0x4d;
export const I32_SUB = 0x6b;
export const I32_SHL = 0x74;
export const I32_SHR_U = 0x76;
export const REF_NULL = 0xd0;
export const REF_FUNC = 0xd2;
export const MEMORY_INIT = 0xfc08;
export const MEMORY_COPY = 0xfc0a;
export const MEMORY_FILL = 0xfc0b;
export const TABLE_INIT = 0xfc0c;
export const TABLE_COPY = 0xfc0e;
export const TABLE_GROW = 0xfc0f;
export const TABLE_FILL = 0xfc11;
export const V128_CONST = 0xfd0c;
