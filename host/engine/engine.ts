/** One engine: the module's exports, and columns of its memory as typed arrays, which never go stale. */
import { readFileSync } from 'node:fs';
import { buildProduct } from '../self/build-product.ts';

type Exports = Record<string, CallableFunction> & { readonly memory: WebAssembly.Memory };

let compiled: WebAssembly.Module | undefined;

export class Engine {
  readonly exports: Exports;
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly u32: Uint32Array<ArrayBuffer>;
  readonly f64: Float64Array<ArrayBuffer>;

  /** @param host what it calls (assembly/host.ts); a call of what is left out throws */
  constructor(host: Readonly<Record<string, CallableFunction>> = {}) {
    compiled ??= new WebAssembly.Module(readFileSync(buildProduct('engine.wasm')));
    const names = WebAssembly.Module.imports(compiled).map(({ name }) => name);
    const functions = Object.fromEntries(names.map((name) => [name, host[name] ?? missing(name)]));
    this.exports = new WebAssembly.Instance(compiled, { host: functions as never }).exports as unknown as Exports;
    this.u8 = new Uint8Array(this.exports.memory.buffer);
    this.u32 = new Uint32Array(this.exports.memory.buffer);
    this.f64 = new Float64Array(this.exports.memory.buffer);
  }

  /** `count` values from an address on. */
  column<T>(make: new (buffer: ArrayBuffer, at: number, count: number) => T, at: number, count: number): T {
    return new make(this.exports.memory.buffer as ArrayBuffer, at, count);
  }
}

function missing(name: string): () => never {
  return () => {
    throw new Error(`the engine calls ${name}, which it was not given`);
  };
}
