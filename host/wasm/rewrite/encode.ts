/**
 * Bytes of a WebAssembly binary in the making: numbers, names, and lengths that are known only when what they measure
 * has been written. https://webassembly.github.io/spec/core/binary/values.html
 */

const START_BYTES = 64 * 1024;
/** A number that is patched later takes as many bytes as the largest would. */
const PADDED_BYTES = 5;

export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(START_BYTES);
  /** Bytes written so far. */
  length = 0;

  byte(value: number): void {
    if (this.length === this.#bytes.length) this.#reserve(1);
    this.#bytes[this.length++] = value;
  }

  put(bytes: ArrayLike<number>): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** bytes[from, to). A loop, because most pieces are one instruction. */
  copy(bytes: Uint8Array, from: number, to: number): void {
    this.#reserve(to - from);
    const target = this.#bytes;
    let at = this.length;
    for (let index = from; index < to; index++) target[at++] = bytes[index]!;
    this.length = at;
  }

  u32(value: number): void {
    this.put(leb128(value));
  }

  /** Room for a number below 2^31, signed or not; returns where patch() finds it. */
  reserveNumber(): number {
    const at = this.length;
    this.#reserve(PADDED_BYTES);
    this.length += PADDED_BYTES;
    this.patch(at, 0);
    return at;
  }

  patch(at: number, value: number): void {
    for (let index = 0; index < PADDED_BYTES; index++) {
      const more = index < PADDED_BYTES - 1 ? 0x80 : 0;
      this.#bytes[at + index] = ((value >>> (7 * index)) & 0x7f) | more;
    }
  }

  /** What `write` puts out, preceded by its length, which it returns. */
  sized(write: () => void): number {
    const at = this.reserveNumber();
    write();
    const size = this.length - at - PADDED_BYTES;
    this.patch(at, size);
    return size;
  }

  take(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.length);
  }

  #reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** An unsigned number below 2^32. */
export function leb128(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest >>> 0 < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/** A length and the name in UTF-8. */
export function encodeName(name: string): number[] {
  const bytes = new TextEncoder().encode(name);
  return [...leb128(bytes.length), ...bytes];
}

/** A function without locals, as the code section has it. */
export function encodeBody(instructions: readonly number[]): number[] {
  const body = [0, ...instructions];
  return [...leb128(body.length), ...body];
}
