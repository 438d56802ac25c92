/**
 * The engine's memory: one block of a fixed size that never grows, so that views of it stay valid for good. Each part has
 * a region of its own, large enough for the most it may ever hold. What nobody touches costs nothing: the kernel gives
 * pages when they are written first. Compiled by both, TypeScript and AssemblyScript.
 */
const MIB = 1 << 20;

/** Below: the compiler's own data. */
export const FRONT_REGION = 1 * MIB;
export const CONNECTIONS_REGION = 64 * MIB;
export const PAIRING_REGION = 256 * MIB;
export const SPANS_REGION = 960 * MIB;
export const METRICS_REGION = 1024 * MIB;
export const ENGINE_BYTES = 1056 * MIB;
