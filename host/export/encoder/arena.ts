/** A part of a module's memory that is filled from its start: addresses are handed out one behind the other. */

const PAGE = 65536;
/** Bytes behind whatever is read: the module copies by 16. */
export const SLACK = 16;

export class Arena {
  readonly #memory: WebAssembly.Memory;
  readonly #from: number;
  top: number;
  bytes: Uint8Array;
  view: DataView;

  constructor(memory: WebAssembly.Memory, from: number) {
    this.#memory = memory;
    this.#from = align(from);
    this.top = this.#from;
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
  }

  get used(): number {
    return this.top - this.#from;
  }

  clear(): void {
    this.top = this.#from;
  }

  /** Makes sure that the next `bytes` can be handed out, and that `bytes` and `view` are those of the memory as it is. */
  reserve(bytes: number): void {
    const missing = this.top + bytes - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE));
    if (this.bytes.buffer === this.#memory.buffer) return;
    this.bytes = new Uint8Array(this.#memory.buffer);
    this.view = new DataView(this.#memory.buffer);
  }

  /** A multiple of 8; the bytes there are whatever they were. */
  take(bytes: number): number {
    const at = this.top;
    this.top = align(at + bytes + SLACK);
    return at;
  }

  /** A copy of the bytes, or as many zeroes. */
  put(content: Uint8Array | number): number {
    const length = typeof content === 'number' ? content : content.length;
    const at = this.take(length);
    if (typeof content === 'number') this.bytes.fill(0, at, at + length);
    else this.bytes.set(content, at);
    return at;
  }
}

function align(address: number): number {
  return (address + 7) & ~7;
}
