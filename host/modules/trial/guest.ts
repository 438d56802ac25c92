/**
 * A parser module as bare calls: instantiated, laid out, each call with its budget of fuel. What a call costs is
 * remembered, a trap is told in words. The harness puts connections on top. Contract: docs/abi.md.
 */
import * as abi from '../../../parsers/sdk/abi.ts';
import type { ParserModule } from '../../wasm/admit.ts';
import { allowance, kibOf, OTHER_CALL_KIB } from '../../wasm/fuel.ts';
import { FUEL_EXPORT } from '../../wasm/rewrite/meter.ts';
import { NO_SETTINGS, type Settings, settingsText } from '../../wasm/settings.ts';
import { OutputError } from './decode.ts';

/** What the trial needs of a module, and what the module is told; nothing without settings. */
export type Subject = Pick<ParserModule, 'manifest' | 'module'> & { readonly settings?: Settings };

interface Exports {
  readonly memory: WebAssembly.Memory;
  abi_version(): number;
  layout(inputBytes: number, outputBytes: number): number;
  open(slot: number, flags: number): void;
  identify(count: number): number;
  run(first: number, end: number): number;
  close(slot: number): void;
  configure(length: number): number;
}

const PAGE = 65536;

export class Guest {
  readonly manifest: Subject['manifest'];
  readonly inputBytes: number;
  readonly outputBytes: number;
  /** Addresses of the input arena, the output arena and the first slot. */
  readonly input: number;
  readonly output: number;
  readonly slots: number;
  readonly isMetered: boolean;
  /** By export: most fuel a call used for each KiB that it was paid for; what the manifest's fuelPerKiB has to exceed. */
  readonly fuelPerKib = new Map<string, number>();
  /** Milliseconds spent in run. */
  runMs = 0;
  readonly #exports: Exports;
  readonly #fuel: { value: number };
  readonly #layout: number;
  #paidKib = 1;
  #granted = 0;

  constructor({ module, manifest, settings = NO_SETTINGS }: Subject, inputBytes: number, outputBytes: number) {
    this.manifest = manifest;
    this.inputBytes = inputBytes;
    this.outputBytes = outputBytes;
    const { exports } = new WebAssembly.Instance(module, {});
    this.#exports = exports as unknown as Exports;
    this.isMetered = FUEL_EXPORT in exports;
    this.#fuel = (exports[FUEL_EXPORT] as { value: number } | undefined) ?? { value: 0 };
    const version = this.#call('abi_version', () => this.#exports.abi_version());
    if (version >>> 16 !== abi.ABI_MAJOR) throw new OutputError('speaks another ABI major');
    this.#layout = this.#call('layout', () => this.#exports.layout(inputBytes, outputBytes)) >>> 0;
    if (this.#layout === 0) throw new OutputError('layout() found no memory');
    this.input = this.word(this.#layout + abi.LAYOUT_INPUT);
    this.output = this.word(this.#layout + abi.LAYOUT_OUTPUT);
    this.slots = this.word(this.#layout + abi.LAYOUT_SLOTS);
    this.#checkLayout();
    if (manifest.settings.length > 0) this.#configure(settingsText(settings, manifest.settings));
  }

  get bytes(): Uint8Array {
    return new Uint8Array(this.#exports.memory.buffer);
  }

  get view(): DataView {
    return new DataView(this.#exports.memory.buffer);
  }

  word(at: number): number {
    return this.view.getUint32(at, true);
  }

  /** Bytes that the last run wrote to the output arena. */
  get outputLength(): number {
    const length = this.word(this.#layout + abi.LAYOUT_OUTPUT_LENGTH);
    if (length > this.outputBytes) throw new OutputError(`${length} bytes of output in ${this.outputBytes}`);
    return length;
  }

  /** Makes the memory reach up to `end`. */
  growTo(end: number): void {
    const shortage = end - this.#exports.memory.buffer.byteLength;
    if (shortage > 0) this.#exports.memory.grow(Math.ceil(shortage / PAGE));
  }

  open(slot: number, flags: number): void {
    this.#call('open', () => this.#exports.open(slot, flags));
  }

  close(slot: number): void {
    this.#call('close', () => this.#exports.close(slot));
  }

  identify(count: number, capturedBytes: number): number {
    this.pay(capturedBytes, count);
    return this.#enter('identify', () => this.#exports.identify(count));
  }

  /** Grants the fuel of a batch of chunks: however often run returns early, it goes on with what is left. */
  pay(capturedBytes: number, chunks: number): void {
    this.#grant(kibOf(capturedBytes, chunks));
  }

  run(first: number, end: number): number {
    this.view.setUint32(this.#layout + abi.LAYOUT_CURRENT, abi.NO_CHUNK, true);
    const before = performance.now();
    const next = this.#enter('run', () => this.#exports.run(first, end));
    this.runMs += performance.now() - before;
    if (next < first || next > end) throw new OutputError(`run(${first}, ${end}) returned ${next}`);
    return next;
  }

  #call<T>(name: string, enter: () => T): T {
    this.#grant(OTHER_CALL_KIB);
    return this.#enter(name, enter);
  }

  #grant(kib: number): void {
    this.#paidKib = kib;
    this.#granted = allowance(this.manifest.limits.fuelPerKiB, kib);
    this.#fuel.value = this.#granted;
  }

  #enter<T>(name: string, enter: () => T): T {
    try {
      return enter();
    } catch (error) {
      throw new OutputError(`${name} trapped: ${this.#reasonOf(error, name)}`, { cause: error });
    } finally {
      this.#remember(name);
    }
  }

  #remember(name: string): void {
    const used = (this.#granted - this.#fuel.value) / this.#paidKib;
    this.fuelPerKib.set(name, Math.max(this.fuelPerKib.get(name) ?? 0, used));
  }

  #reasonOf(error: unknown, name: string): string {
    const current = this.#layout > 0 && name === 'run' ? this.word(this.#layout + abi.LAYOUT_CURRENT) : abi.NO_CHUNK;
    const place = current === abi.NO_CHUNK ? '' : ` at chunk ${current}`;
    if (!this.isMetered || this.#fuel.value >= 0) return `${(error as Error).message}${place}`;
    return `fuel used up${place}: ${this.#granted} units were granted for ${this.#paidKib.toFixed(1)} KiB`;
  }

  #configure(text: Uint8Array): void {
    this.bytes.set(text, this.input);
    const answer = this.#call('configure', () => this.#exports.configure(text.length));
    if (answer !== 1) throw new OutputError(`configure() returned ${answer}`);
  }

  #checkLayout(): void {
    const { input, output, slots, inputBytes, outputBytes } = this;
    const [low, lowBytes, high, highBytes] =
      input < output ? [input, inputBytes, output, outputBytes] : [output, outputBytes, input, inputBytes];
    if (slots % abi.SLOT_ALIGN !== 0) throw new OutputError('slots are not aligned');
    if ((input | output | this.#layout) % 8 !== 0) throw new OutputError('layout record and arenas are not aligned');
    if (low < 8 || low + lowBytes > high || high + highBytes > slots) {
      throw new OutputError('layout describes arenas that overlap');
    }
    if (high + highBytes > this.bytes.length) throw new OutputError('layout describes arenas outside of its memory');
  }
}
