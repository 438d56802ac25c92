/** A part of the engine's memory that is filled from its start: addresses are handed out one behind the other. */
import type { Engine } from '../../engine/engine.ts';

/** Bytes behind whatever is read: the module copies by 16. */
const SLACK = 16;

export class Arena {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #from: number;
  readonly #end: number;
  #top: number;

  constructor({ u8 }: Engine, from: number, end: number) {
    this.bytes = u8;
    this.view = new DataView(u8.buffer);
    this.#from = align(from);
    this.#end = end;
    this.#top = this.#from;
  }

  get used(): number {
    return this.#top - this.#from;
  }

  clear(): void {
    this.#top = this.#from;
  }

  /** A multiple of 8; the bytes there are whatever they were. */
  take(bytes: number): number {
    const at = this.#top;
    if (at + bytes + SLACK > this.#end) throw new RangeError('the tables of the encoder are full');
    this.#top = align(at + bytes + SLACK);
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
