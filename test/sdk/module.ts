/** A module made of the SDK for one test: its exports by name, and a place in its memory to put bytes. */
import { compileSource } from '../host/compile.ts';

const PLACE = 16384;

/** The first lines of every source: room that no static data takes. */
const ROOM = `const room: usize = memory.data(${PLACE}, 64);\nexport function place(): usize { return room; }\n`;
/** Bytes in front of `at`, which belong to the module and must not matter. */
const MARGIN = 64;

export interface SdkModule {
  /** Results as the export gives them; a u64 is a bigint. */
  readonly call: (name: string, ...args: (number | bigint)[]) => number;
  /** Address at which `put` puts bytes. */
  readonly at: number;
  readonly memory: () => Uint8Array;
  /** Puts bytes at `at` + offset. */
  readonly put: (bytes: Uint8Array, offset?: number) => void;
}

export async function sdkModule(source: string): Promise<SdkModule> {
  const wasm = new WebAssembly.Module(new Uint8Array(await compileSource(ROOM + source)));
  const exports = new WebAssembly.Instance(wasm, {}).exports as unknown as Record<
    string,
    (...args: unknown[]) => number
  >;
  const memory = () => new Uint8Array((exports.memory as unknown as WebAssembly.Memory).buffer);
  const at = exports.place!() + MARGIN;
  return {
    at,
    memory,
    call: (name, ...args) => {
      const found = exports[name];
      if (!found) throw new Error(`the module has no export ${name}`);
      return found(...args);
    },
    put: (bytes, offset = 0) => {
      if (offset < -MARGIN || offset + bytes.length > PLACE - MARGIN) throw new Error('more bytes than there is room');
      memory().set(bytes, at + offset);
    },
  };
}
