/**
 * A module brought to life: its exports, its memory, the layout it chose, and the fuel of each call. Everything it says
 * of its layout is checked before anyone relies on it. Contract: docs/abi.md.
 */
import * as abi from '../../parsers/sdk/abi.ts';
import { OUTPUT_BYTES } from '../engine/layout/front.ts';
import type { ParserModule } from './admit.ts';
import { INPUT_BYTES } from './arena.ts';
import { allowance, kibOf, OTHER_CALL_KIB } from './fuel.ts';
import { GuestMemory } from './memory.ts';
import { FUEL_EXPORT } from './rewrite/meter.ts';
import { NO_SETTINGS, type Settings, settingsText } from './settings.ts';

interface Exports {
  readonly memory: WebAssembly.Memory;
  /** Absent in a module that is not metered: our own, in a bench. */
  readonly [FUEL_EXPORT]?: { value: number };
  abi_version(): number;
  layout(inputBytes: number, outputBytes: number): number;
  open(slot: number, flags: number): void;
  identify(count: number): number;
  run(first: number, end: number): number;
  close(slot: number): void;
  migrate?(slot: number, fromStateVersion: number): number;
  /** There when the manifest names settings. */
  configure?(length: number): number;
}

export type FailureKind = 'trap' | 'fuel' | 'output';

export class Guest {
  readonly exports: Exports;
  readonly memory: GuestMemory;
  readonly input: number;
  readonly output: number;
  readonly outputBytes: number;
  /** First address of the host's own. */
  readonly slots: number;
  readonly #layout: number;
  readonly #name: string;
  readonly #fuelPerKiB: number;

  /** Throws when the module cannot start: layout() failed or makes no sense, configure() says no, there is no memory. */
  constructor({ module, manifest }: ParserModule, settings: Settings = NO_SETTINGS) {
    this.#name = manifest.name;
    this.#fuelPerKiB = manifest.limits.fuelPerKiB;
    // As large as the manifest asks, within what the engine reads.
    this.outputBytes = Math.min(manifest.limits.outputPerCall, OUTPUT_BYTES) & ~7;
    const instance = new WebAssembly.Instance(module, {});
    this.exports = instance.exports as unknown as Exports;
    this.memory = new GuestMemory(this.exports.memory, manifest.limits.memoryPages);
    this.#layout = this.#askLayout();
    this.memory.refresh();
    this.input = this.#word(abi.LAYOUT_INPUT);
    this.output = this.#word(abi.LAYOUT_OUTPUT);
    this.slots = this.#word(abi.LAYOUT_SLOTS);
    this.#checkLayout();
    if (manifest.settings.length > 0) this.#configure(settingsText(settings, manifest.settings));
  }

  get outputLength(): number {
    return this.#word(abi.LAYOUT_OUTPUT_LENGTH);
  }

  /** The chunk at work, as the module says. */
  get current(): number {
    return this.#word(abi.LAYOUT_CURRENT);
  }

  /** Before each run: nothing is put out, no chunk is at work. */
  reset(): void {
    const word = this.#layout >>> 2;
    this.memory.u32[word + (abi.LAYOUT_CURRENT >>> 2)] = abi.NO_CHUNK;
    this.memory.u32[word + (abi.LAYOUT_OUTPUT_LENGTH >>> 2)] = 0;
  }

  /** The budget of a run or identify over so much input. */
  refuel(capturedBytes: number, chunks: number): void {
    this.#setFuel(kibOf(capturedBytes, chunks));
  }

  refuelShortCall(): void {
    this.#setFuel(OTHER_CALL_KIB);
  }

  /** What a call threw, in words. */
  explain(error: unknown): { kind: FailureKind; reason: string } {
    const fuel = this.exports[FUEL_EXPORT];
    if (fuel !== undefined && fuel.value < 0) return { kind: 'fuel', reason: 'fuel used up' };
    return { kind: 'trap', reason: `trap: ${(error as Error).message}` };
  }

  #setFuel(kib: number): void {
    const fuel = this.exports[FUEL_EXPORT];
    if (fuel !== undefined) fuel.value = allowance(this.#fuelPerKiB, kib);
  }

  #word(field: number): number {
    return this.memory.u32[(this.#layout + field) >>> 2]!;
  }

  #askLayout(): number {
    const at = this.#starting(() => {
      const spoken = this.exports.abi_version();
      if (spoken >>> 16 !== abi.ABI_MAJOR) this.#refuse(`abi_version() says ${spoken >>> 16}.${spoken & 0xffff}`);
      return this.exports.layout(INPUT_BYTES, this.outputBytes) >>> 0;
    });
    if (at === 0) this.#refuse('layout() found no memory: raise limits.memoryPages');
    if (at % 8 !== 0 || at + abi.LAYOUT_SIZE > this.exports.memory.buffer.byteLength) {
      this.#refuse('layout() points outside of the memory');
    }
    return at;
  }

  #configure(text: Uint8Array): void {
    if (text.length > INPUT_BYTES) this.#refuse('the settings do not fit the input arena');
    this.memory.u8.set(text, this.input);
    const answer = this.#starting(() => this.exports.configure!(text.length));
    if (this.memory.isStale) this.#refuse('configure() grew the memory');
    if (answer !== 1) this.#refuse(`configure() returned ${answer}: it cannot take the settings`);
  }

  /** A call before anything depends on the module: whatever goes wrong, it cannot start. */
  #starting(call: () => number): number {
    this.refuelShortCall();
    try {
      return call();
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
        this.#refuse(this.explain(error).reason);
      }
      throw error;
    }
  }

  #checkLayout(): void {
    const { input, output, slots } = this;
    const [inputEnd, outputEnd, recordEnd] = [
      input + INPUT_BYTES,
      output + this.outputBytes,
      this.#layout + abi.LAYOUT_SIZE,
    ];
    const inside = (at: number, to: number) => at >= 8 && at % 8 === 0 && to <= this.memory.bytes && to <= slots;
    const apart = (from: number, to: number, at: number, until: number) => to <= at || from >= until;
    const ok =
      inside(this.#layout, recordEnd) &&
      inside(input, inputEnd) &&
      inside(output, outputEnd) &&
      slots % abi.SLOT_ALIGN === 0 &&
      apart(input, inputEnd, output, outputEnd) &&
      apart(this.#layout, recordEnd, output, outputEnd) &&
      apart(this.#layout, recordEnd, input, inputEnd);
    if (!ok) this.#refuse('layout() describes arenas that overlap or lie outside of the memory');
  }

  #refuse(reason: string): never {
    throw new Error(`module ${this.#name} cannot start: ${reason}`);
  }
}
