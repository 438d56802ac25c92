/** Views over a module's memory. They go stale when it grows: call `refresh` after anything that may have grown it. */

export const PAGE = 65536;

export class GuestMemory {
  u32: Uint32Array<ArrayBuffer>;
  u8: Uint8Array<ArrayBuffer>;
  readonly #memory: WebAssembly.Memory;
  readonly #maximumPages: number;

  constructor(memory: WebAssembly.Memory, maximumPages: number) {
    this.#memory = memory;
    this.#maximumPages = maximumPages;
    this.u32 = new Uint32Array(memory.buffer);
    this.u8 = new Uint8Array(memory.buffer);
  }

  get bytes(): number {
    return this.u8.byteLength;
  }

  /** True when the memory has grown since the views were made: that detaches them. */
  get isStale(): boolean {
    return this.u8.length === 0;
  }

  refresh(): void {
    this.u32 = new Uint32Array(this.#memory.buffer);
    this.u8 = new Uint8Array(this.#memory.buffer);
  }

  /** After a module did what it must not: it may have grown the memory. */
  refreshIfStale(): void {
    if (this.isStale) this.refresh();
  }

  /** Makes room up to address `end`, in steps of at least `pagesAtOnce` where the limit allows; false when it does not. */
  reserve(end: number, pagesAtOnce: number): boolean {
    const missing = Math.ceil((end - this.bytes) / PAGE);
    if (missing <= 0) return true;
    const pages = Math.min(Math.max(missing, pagesAtOnce), this.#maximumPages - this.bytes / PAGE);
    if (pages < missing) return false;
    try {
      this.#memory.grow(pages);
    } catch {
      return false;
    }
    this.refresh();
    return true;
  }
}
