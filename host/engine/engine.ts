/** One engine: the module's exports, and columns of its memory as typed arrays, which never go stale. */
import { readFileSync } from 'node:fs';
import { buildProduct } from '../self/build-product.ts';

type Call = (...values: number[]) => number | undefined;
type Exports = Record<string, Call> & { readonly memory: WebAssembly.Memory };
/** What the engine asks for, by name: host/engine/assembly/host.ts. */
export type Host = Readonly<Record<string, CallableFunction>>;

let compiled: WebAssembly.Module | undefined;

export class Engine {
  readonly exports: Exports;
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly u16: Uint16Array<ArrayBuffer>;
  readonly u32: Uint32Array<ArrayBuffer>;
  readonly f64: Float64Array<ArrayBuffer>;
  readonly #host: Record<string, CallableFunction> = {};

  constructor(host: Host = {}) {
    compiled ??= new WebAssembly.Module(readFileSync(buildProduct('engine.wasm')));
    const exports = new WebAssembly.Instance(compiled, { host: this.#imports(compiled) }).exports;
    this.exports = exports as unknown as Exports;
    this.u8 = new Uint8Array(this.exports.memory.buffer);
    this.u16 = new Uint16Array(this.exports.memory.buffer);
    this.u32 = new Uint32Array(this.exports.memory.buffer);
    this.f64 = new Float64Array(this.exports.memory.buffer);
    this.serve(host);
  }

  /** Answers what the engine asks for. Whoever serves it needs an engine first, so answers come later than imports. */
  serve(host: Host): void {
    Object.assign(this.#host, host);
  }

  /** `count` values from an address on. */
  column<T>(make: new (buffer: ArrayBuffer, at: number, count: number) => T, at: number, count: number): T {
    return new make(this.exports.memory.buffer as ArrayBuffer, at, count);
  }

  #imports(module: WebAssembly.Module): Record<string, Call> {
    const host = this.#host;
    const names = WebAssembly.Module.imports(module).map(({ name }) => name);
    const call = (name: string) => (a?: number, b?: number, c?: number, d?: number, e?: number) =>
      (host[name] ?? missing(name))(a, b, c, d, e);
    return Object.fromEntries(names.map((name) => [name, call(name)]));
  }
}

function missing(name: string): () => never {
  return () => {
    throw new Error(`the engine calls ${name}, which it was not given`);
  };
}
