/**
 * Hostile modules in WebAssembly's text format. Each is the same small protocol, correct but for what the case replaces:
 * every chunk from the client is a request, every one from the server a response, unless it begins with `!`: then `bad`
 * decides. Its connections begin with `E`.
 *
 * What a case may use: $in and $out (the arenas), $slots, $at (where the next record goes), and the functions below.
 */
import { admitModule, type ParserModule } from '../../host/wasm/admit.ts';
import { MANIFEST_SECTION } from '../../host/wasm/manifest.ts';
import { appendCustomSection } from '../../host/wasm/sections.ts';
import { assemble } from '../host/wat.ts';

/** Functions of the module, as text; what is missing is as it should be. */
export interface Parts {
  /** Of a chunk that begins with `!`: (param $i i32) (local $n i32), 1: consumed, 0: the run ends at it. */
  readonly bad?: string;
  /** Of every run, in place of the loop over the chunks: (param $first i32) (param $end i32) (result i32). */
  readonly run?: string;
  readonly identify?: string;
  readonly open?: string;
  readonly close?: string;
  readonly abiVersion?: string;
  /** Before the arenas are placed; and at the end, its result. */
  readonly layout?: string;
  readonly layoutResult?: string;
  readonly migrate?: string;
  /** (param $length i32) (local $n i32) (result i32) */
  readonly configure?: string;
  /** The exported memory. */
  readonly memory?: string;
  /** Anything else at the top level. */
  readonly more?: string;
}

export const HOSTILE_MANIFEST = {
  name: 'hostile',
  version: '1.0.0',
  abi: { major: 1, minor: 0 },
  protocols: [
    {
      name: 'hostile',
      kind: 'rpc',
      pairing: 'fifo',
      spanName: '{rpc.method}',
      spanNameFallback: 'hostile',
      status: { attribute: 'rpc.status', error: {} },
      bodySize: { request: 'rpc.request.size' },
      constants: {},
    },
  ],
  ports: [] as number[],
  magic: ['E', '!'],
  slots: [64, 128],
  stateVersion: 1,
  limits: { memoryPages: 128, fuelPerKiB: 20_000, outputPerCall: 65_536 },
  attributes: [
    { id: 1, name: 'rpc.method', type: 'string' },
    { id: 2, name: 'rpc.size', type: 'int' },
    { id: 3, name: 'rpc.ratio', type: 'double' },
    { id: 4, name: 'rpc.last', type: 'boolean' },
  ],
};

export type HostileManifest = typeof HOSTILE_MANIFEST;

/** The record of the layout, and where the input arena begins. */
const RECORD = 64;
const INPUT = 1024;

const FUNCTIONS = `
  (global $in (mut i32) (i32.const 0)) (global $out (mut i32) (i32.const 0)) (global $slots (mut i32) (i32.const 0))
  (global $at (mut i32) (i32.const 0)) (global $count (mut i32) (i32.const 0))
  (func $chunk (param $i i32) (result i32) (i32.add (global.get $in) (i32.mul (local.get $i) (i32.const 40))))
  (func $slot (param $i i32) (result i32) (i32.load (call $chunk (local.get $i))))
  (func $byte (param $i i32) (result i32)
    (if (result i32) (i32.load offset=12 (call $chunk (local.get $i)))
      (then (i32.load8_u (i32.load offset=8 (call $chunk (local.get $i))))) (else (i32.const 0))))
  (func $written (result i32) (i32.sub (global.get $at) (global.get $out)))
  (func $length (param $bytes i32) (i32.store offset=8 (i32.const ${RECORD}) (local.get $bytes)))
  (func $current (param $i i32) (i32.store offset=16 (i32.const ${RECORD}) (local.get $i)))
  (func $head (param $size i32) (param $slot i32) (param $type i32) (param $value i32)
    (memory.fill (global.get $at) (i32.const 0) (local.get $size))
    (i32.store (global.get $at) (local.get $size))
    (i32.store offset=4 (global.get $at) (local.get $slot))
    (i32.store offset=8 (global.get $at) (local.get $type))
    (i32.store offset=12 (global.get $at) (local.get $value))
    (global.set $at (i32.add (global.get $at) (local.get $size))))
  (func $hint (param $i i32) (param $type i32) (param $value i32)
    (call $head (i32.const 16) (call $slot (local.get $i)) (local.get $type) (local.get $value)))
  (func $keyed (param $i i32) (param $type i32) (param $value i32) (param $key i64)
    (call $head (i32.const 24) (call $slot (local.get $i)) (local.get $type) (local.get $value))
    (i64.store (i32.sub (global.get $at) (i32.const 8)) (local.get $key)))
  ;; A message with room for attributes, which the caller writes at $at - size + 64.
  (func $message (param $i i32) (param $type i32) (param $size i32) (param $attributes i32)
    (local $from i32) (local.set $from (global.get $at))
    (call $head (local.get $size) (call $slot (local.get $i)) (local.get $type) (i32.const 0))
    (i64.store offset=24 (local.get $from) (i64.load offset=24 (call $chunk (local.get $i))))
    (i64.store offset=32 (local.get $from) (i64.load offset=24 (call $chunk (local.get $i))))
    (i32.store16 offset=56 (local.get $from) (local.get $attributes)))
  (func $consumed (param $i i32) (result i32)
    (i32.store offset=12 (call $chunk (local.get $i)) (i32.const 0))
    (i32.store offset=16 (call $chunk (local.get $i)) (i32.const 0))
    (i32.const 1))
  (func $good (param $i i32) (result i32)
    (if (i32.load offset=12 (call $chunk (local.get $i))) (then
      (call $message (local.get $i)
        (i32.add (i32.const 1) (i32.load8_u offset=5 (call $chunk (local.get $i)))) (i32.const 64) (i32.const 0))))
    (call $consumed (local.get $i)))
  (func $step (param $i i32) (result i32)
    (call $current (local.get $i)) (call $length (call $written))
    (if (result i32) (i32.eq (call $byte (local.get $i)) (i32.const 0x21))
      (then (call $bad (local.get $i))) (else (call $good (local.get $i)))))`;

const RUN = `
  (loop $all
    (if (i32.lt_u (local.get $first) (local.get $end)) (then
      (if (call $step (local.get $first)) (then
        (local.set $first (i32.add (local.get $first) (i32.const 1))) (br $all))))))
  (call $length (call $written))
  (local.get $first)`;

const IDENTIFY = '(select (i32.const 100) (i32.const 0) (i32.eq (call $byte (i32.const 0)) (i32.const 0x45)))';

export function hostileText(parts: Parts): string {
  const { bad = '(call $good (local.get $i))', run = RUN, identify = IDENTIFY, migrate } = parts;
  return `
  ${parts.memory ?? '(memory (export "memory") 1)'} ${FUNCTIONS} ${parts.more ?? ''}
  (func (export "abi_version") (result i32) ${parts.abiVersion ?? '(i32.const 0x10000)'})
  (func (export "layout") (param $input i32) (param $output i32) (result i32)
    ${parts.layout ?? ''}
    (global.set $in (i32.const ${INPUT}))
    (global.set $out (i32.add (global.get $in) (local.get $input)))
    (global.set $slots (i32.and (i32.const -64)
      (i32.add (i32.const 63) (i32.add (global.get $out) (local.get $output)))))
    (drop (memory.grow (i32.shr_u (global.get $slots) (i32.const 16))))
    (i32.store (i32.const ${RECORD}) (global.get $in))
    (i32.store offset=4 (i32.const ${RECORD}) (global.get $out))
    (i32.store offset=12 (i32.const ${RECORD}) (global.get $slots))
    ${parts.layoutResult ?? `(i32.const ${RECORD})`})
  (func (export "open") (param $slot i32) (param $flags i32) ${parts.open ?? ''})
  (func (export "close") (param $slot i32) ${parts.close ?? ''})
  (func (export "identify") (param $count i32) (result i32) ${identify})
  (func $bad (param $i i32) (result i32) (local $n i32) ${bad})
  (func (export "run") (param $first i32) (param $end i32) (result i32) (local $n i32)
    (global.set $at (global.get $out)) ${run})
  ${parts.configure === undefined ? '' : `(func (export "configure") (param $length i32) (result i32) (local $n i32) ${parts.configure})`}
  ${migrate === undefined ? '' : `(func (export "migrate") (param $slot i32) (param $from i32) (result i32) ${migrate})`}`;
}

/** The module's bytes with its manifest, as a file has them. */
export function hostileBytes(parts: Parts = {}, manifest: object = {}): Uint8Array<ArrayBuffer> {
  const text = JSON.stringify({ ...HOSTILE_MANIFEST, ...manifest });
  return appendCustomSection(assemble(hostileText(parts)), MANIFEST_SECTION, Buffer.from(text));
}

export function hostile(parts: Parts = {}, manifest: object = {}): ParserModule {
  return admitModule(hostileBytes(parts, manifest));
}

/** A manifest of version 1.1, with a pair whose keys the configuration says. */
export const TOLD = {
  abi: { major: 1, minor: 1 },
  settings: ['rpc.keys'],
  attributes: [...HOSTILE_MANIFEST.attributes, { id: 5, name: 'rpc.metadata', type: 'pair', keys: 'rpc.keys' }],
};
export const SETTINGS = new Map([['rpc.keys', ['tag', 'cookie']]]);

/** For ever. */
export const SPIN = '(loop $spin (br $spin))';
/** `body` so many times, counting $n. */
export const times = (count: number, body: string) => `
  (local.set $n (i32.const 0))
  (loop $again ${body}
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $n) (i32.const ${count}))))`;
/** $n runs from 0; `count` times `put` and then the chunk is done. */
export const flood = (count: number, put: string) => `${times(count, put)} (call $consumed (local.get $i))`;
