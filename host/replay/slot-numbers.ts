/**
 * Small numbers for connections, dense and used again: what follows keeps its state in arrays indexed by them.
 * A number is taken with a connection's first record and comes back when the host releases it.
 */

export const NO_SLOT = 0xffffffff;

export class SlotNumbers {
  readonly #limit: number;
  readonly #free: number[] = [];
  #isTaken = new Uint8Array(64);
  #next = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get taken(): number {
    return this.#next - this.#free.length;
  }

  get isFull(): boolean {
    return this.taken >= this.#limit;
  }

  take(): number {
    const slot = this.#free.pop() ?? this.#next++;
    if (slot >= this.#isTaken.length) this.#grow();
    this.#isTaken[slot] = 1;
    return slot;
  }

  release(slot: number): void {
    if (this.#isTaken[slot] !== 1) throw new RangeError(`slot ${slot} is not taken`);
    this.#isTaken[slot] = 0;
    this.#free.push(slot);
  }

  #grow(): void {
    const larger = new Uint8Array(this.#isTaken.length * 2);
    larger.set(this.#isTaken);
    this.#isTaken = larger;
  }
}
