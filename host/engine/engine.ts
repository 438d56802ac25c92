/** One engine: the module's exports, and columns of its memory as typed arrays, which never go stale. */
import { readFileSync } from 'node:fs';
import { buildProduct } from '../self/build-product.ts';

type Exports = Record<string, CallableFunction> & { readonly memory: WebAssembly.Memory };

let compiled: WebAssembly.Module | undefined;

export class Engine {
  readonly exports: Exports;
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly u16: Uint16Array<ArrayBuffer>;
  readonly u32: Uint32Array<ArrayBuffer>;
  readonly f64: Float64Array<ArrayBuffer>;

  /** @param host what assembly/host.ts declares; what is left out must not be called */
  constructor(host: Readonly<Record<string, CallableFunction>> = {}) {
    compiled ??= new WebAssembly.Module(readFileSync(buildProduct('engine.wasm')));
    const imports = WebAssembly.Module.imports(compiled).map(({ name }) => [name, host[name] ?? absent(name)]);
    const instance = new WebAssembly.Instance(compiled, { host: Object.fromEntries(imports) });
    this.exports = instance.exports as unknown as Exports;
    this.u8 = new Uint8Array(this.exports.memory.buffer);
    this.u16 = new Uint16Array(this.exports.memory.buffer);
    this.u32 = new Uint32Array(this.exports.memory.buffer);
    this.f64 = new Float64Array(this.exports.memory.buffer);
  }

  /** `count` values from an address on. */
  column<T>(make: new (buffer: ArrayBuffer, at: number, count: number) => T, at: number, count: number): T {
    return new make(this.exports.memory.buffer as ArrayBuffer, at, count);
  }
}

function absent(name: string): () => never {
  return () => {
    throw new Error(`the engine calls ${name}(), which nobody gave it`);
  };
}
