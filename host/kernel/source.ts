/**
 * Where records come from: the native Ring, a replayed capture, a test. Records are as bpf/wire.h has them, whole,
 * each at a multiple of 8 bytes, with the connection's small number in `slot`.
 */
export interface RecordSource {
  /** Copies whole records into the buffer; returns the bytes written, 0 when there is none or it does not fit. */
  drain(buffer: ArrayBuffer, offset: number, capacity: number): number;
  /** Gives back connection numbers: slots[0..count). */
  release(slots: Uint32Array, count: number): void;
  /** Bytes that wait. */
  pending(): number;
}
