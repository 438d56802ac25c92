/**
 * A cursor over bytes nobody has vouched for. Its rule: `at` never passes `end`, `end` never passes the bytes, and every
 * read that would go further throws WasmFormatError.
 * Numbers: https://webassembly.github.io/spec/core/binary/values.html
 */
import { RefusedError } from '../refusal.ts';

/** The bytes do not have the structure the specification demands. */
export class WasmFormatError extends Error {
  override readonly name = 'WasmFormatError';
}

const LEB_PAYLOAD = 0x7f;
const LEB_MORE = 0x80;
export const U32_BYTES = 5;
/** Also of the signed 33-bit number that names a block's type. */
export const I64_BYTES = 10;

export class ByteReader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    if (at > end || end > bytes.length) throw new WasmFormatError(`truncated: nothing at offset ${at}`);
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at === this.end;
  }

  byte(): number {
    if (this.at >= this.end) throw new WasmFormatError(`truncated at offset ${this.at}`);
    return this.bytes[this.at++]!;
  }

  u32(): number {
    let value = 0;
    for (let index = 0; index < U32_BYTES; index++) {
      const byte = this.byte();
      value += (byte & LEB_PAYLOAD) * 2 ** (7 * index);
      if (byte < LEB_MORE && value <= 0xffff_ffff) return value;
    }
    throw new WasmFormatError(`a number before offset ${this.at} does not fit 32 bits`);
  }

  /** Passes over a LEB128 number of either sign. */
  skipLeb(longest: number): void {
    for (let index = 0; index < longest; index++) {
      if (this.byte() < LEB_MORE) return;
    }
    throw new WasmFormatError(`a number before offset ${this.at} is longer than ${longest} bytes`);
  }

  skip(length: number): void {
    if (length > this.end - this.at)
      throw new WasmFormatError(`truncated: ${length} bytes wanted at offset ${this.at}`);
    this.at += length;
  }

  /** A cursor over the next bytes, which this one passes over. */
  take(length: number): ByteReader {
    const from = this.at;
    this.skip(length);
    return new ByteReader(this.bytes, from, this.at);
  }

  /** A length and so many bytes of UTF-8. */
  name(): string {
    const { at, end } = this.take(this.u32());
    return new TextDecoder().decode(this.bytes.subarray(at, end));
  }

  /** A count and so many entries, each read by `entry`. */
  vector(entry: (reader: ByteReader, index: number) => void): void {
    const count = this.u32();
    for (let index = 0; index < count; index++) entry(this, index);
  }

  expectDone(what: string): void {
    if (!this.done) throw new WasmFormatError(`${what} is longer than what it holds`);
  }
}

/** What is broken is refused: bytes that come from outside need only one kind of error. */
export function refusing<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof WasmFormatError) throw new RefusedError(error.message);
    throw error;
  }
}
