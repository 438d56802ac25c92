/** One engine: the module's exports, and columns of its memory as typed arrays, which never go stale. */
import { readFileSync } from 'node:fs';
import { addon } from '../kernel/addon.ts';
import { buildProduct } from '../self/build-product.ts';
import { ENGINE_BYTES } from './layout/regions.ts';

type Call = (...values: number[]) => number | undefined;
type Exports = Record<string, Call>;
/** What the engine asks for, by name: host/engine/assembly/host.ts. */
export type Host = Readonly<Record<string, CallableFunction>>;

const PAGE = 65536;

let compiled: WebAssembly.Module | undefined;
/** Of engines that are done: for each new one V8 sees a gigabyte more of heap, and collects all garbage first. */
const spare: WebAssembly.Memory[] = [];
const SPARE_MAX = 4;

export class Engine {
  readonly exports: Exports;
  readonly #memory: WebAssembly.Memory;
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly u16: Uint16Array<ArrayBuffer>;
  readonly u32: Uint32Array<ArrayBuffer>;
  readonly f64: Float64Array<ArrayBuffer>;
  readonly #host: Record<string, CallableFunction> = {};
  #isReleased = false;

  constructor(host: Host = {}) {
    compiled ??= new WebAssembly.Module(readFileSync(buildProduct('engine.wasm')));
    this.#memory = spare.pop() ?? newMemory();
    const imports = { host: this.#imports(compiled), env: { memory: this.#memory } };
    const { exports } = new WebAssembly.Instance(compiled, imports);
    this.exports = exports as unknown as Exports;
    this.u8 = new Uint8Array(this.#memory.buffer);
    this.u16 = new Uint16Array(this.#memory.buffer);
    this.u32 = new Uint32Array(this.#memory.buffer);
    this.f64 = new Float64Array(this.#memory.buffer);
    this.serve(host);
  }

  /** Answers what the engine asks for. Whoever serves it needs an engine first, so answers come later than imports. */
  serve(host: Host): void {
    Object.assign(this.#host, host);
  }

  /** It is done, and its memory another's: whoever has columns of it must not touch them any more. */
  release(): void {
    if (this.#isReleased || spare.length === SPARE_MAX) return;
    this.#isReleased = true;
    addon.wipe(this.u8.buffer);
    spare.push(this.#memory);
  }

  /** `count` values from an address on. */
  column<T>(make: new (buffer: ArrayBuffer, at: number, count: number) => T, at: number, count: number): T {
    return new make(this.#memory.buffer as ArrayBuffer, at, count);
  }

  #imports(module: WebAssembly.Module): Record<string, Call> {
    const host = this.#host;
    const names = WebAssembly.Module.imports(module).flatMap(({ kind, name }) => (kind === 'function' ? name : []));
    const call = (name: string) => (a?: number, b?: number, c?: number, d?: number, e?: number) =>
      (host[name] ?? missing(name))(a, b, c, d, e);
    return Object.fromEntries(names.map((name) => [name, call(name)]));
  }
}

function newMemory(): WebAssembly.Memory {
  const pages = ENGINE_BYTES / PAGE;
  return new WebAssembly.Memory({ initial: pages, maximum: pages });
}

function missing(name: string): () => never {
  return () => {
    throw new Error(`the engine calls ${name}, which it was not given`);
  };
}
