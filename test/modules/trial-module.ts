/**
 * A module that does what each line of the client tells it, written against docs/abi.md without the SDK:
 *
 *   D7text  defines 7 as text       U7   forgets 7          R7  a request that refers to 7, and to nothing else
 *   Qtext   a request               S99  needs no bytes before offset 99
 *   V       upgrades, and goes on as if nothing had happened; VV does it twice
 *   L       never returns           W    writes behind its slot           B  a boolean of two bytes
 */
import { packModule } from '../../parsers/build.ts';
import { compileModule, compileSource, type TestModule } from '../host/compile.ts';

export const TRIAL_MANIFEST = {
  name: 'trial',
  version: '1.0.0',
  abi: { major: 1, minor: 0 },
  protocols: [
    { name: 'trial', kind: 'other', pairing: 'fifo', spanName: 'trial', spanNameFallback: 'trial', constants: {} },
  ],
  ports: [],
  magic: [],
  slots: [64],
  stateVersion: 1,
  limits: { memoryPages: 512, fuelPerKiB: 20_000, outputPerCall: 65_536 },
  attributes: [
    { id: 1, name: 'trial.text', type: 'string' },
    { id: 2, name: 'trial.flag', type: 'boolean' },
  ],
};

const SOURCE = `
const RECORD: usize = memory.data(24, 8);
let input: u32 = 0;
let output: u32 = 0;
let cursor: u32 = 0;

export function abi_version(): i32 { return 1 << 16; }

export function layout(inputBytes: u32, outputBytes: u32): u32 {
  input = (<u32>__heap_base + 63) & ~63;
  output = (input + inputBytes + 63) & ~63;
  const slots = (output + outputBytes + 63) & ~63;
  const pages = <i32>((slots + 65535) >> 16) - memory.size();
  if (pages > 0 && memory.grow(pages) < 0) return 0;
  store<u32>(RECORD, input, 0);
  store<u32>(RECORD, output, 4);
  store<u32>(RECORD, slots, 12);
  store<u32>(RECORD, 0xffffffff, 16);
  return <u32>RECORD;
}

export function open(_slot: u32, _flags: u32): void {}
export function close(_slot: u32): void {}
export function identify(_count: u32): u32 { return 50; }

export function run(first: u32, end: u32): u32 {
  cursor = output;
  for (let index = first; index < end; index++) {
    const chunk = <usize>(input + index * 40);
    store<u32>(RECORD, cursor - output, 8);
    store<u32>(RECORD, index, 16);
    let at = load<u32>(chunk, 8);
    const stop = at + load<u32>(chunk, 12);
    while (at < stop) {
      let line = at;
      while (line < stop && load<u8>(line) != 0x0a) line++;
      obey(load<u32>(chunk), load<u8>(at), at + 1, line - at - 1);
      at = line + 1;
    }
  }
  store<u32>(RECORD, cursor - output, 8);
  return end;
}

function obey(slot: u32, command: u8, text: u32, length: u32): void {
  const key: u64 = length > 0 ? load<u8>(text) - 0x30 : 0;
  switch (command) {
    case 0x44: return define(slot, key, text + 1, length - 1);
    case 0x55: return record(slot, 33, 24, 0, key);
    case 0x52: return refer(slot, key);
    case 0x51: return ask(slot, text, length, 1);
    case 0x53: return record(slot, 21, 24, 0, 99);
    case 0x56: {
      for (let i: u32 = 0; i <= length; i++) record(slot, 20, 16, 1, 0);
      return;
    }
    case 0x4c: while (true) {}
    case 0x57: return store<u8>(slot + 64, 1);
    case 0x42: return ask(slot, text, 2, 2);
  }
}

function record(slot: u32, type: u16, length: u32, value: u32, key: u64): void {
  store<u32>(cursor, length);
  store<u32>(cursor, slot, 4);
  store<u16>(cursor, type, 8);
  store<u16>(cursor, 0, 10);
  store<u32>(cursor, value, 12);
  if (length > 16) store<u64>(cursor, key, 16);
  cursor += length;
}

function attribute(at: u32, id: u16, text: u32, length: u32): u32 {
  store<u16>(at, id);
  store<u16>(at, <u16>length, 2);
  memory.copy(at + 4, text, length);
  return (4 + length + 7) & ~7;
}

function define(slot: u32, key: u64, text: u32, length: u32): void {
  const size = attribute(cursor + 24, 1, text, length);
  record(slot, 32, 24 + size, 1, key);
}

function message(slot: u32, size: u32): void {
  memory.fill(cursor, 0, 64);
  store<u16>(cursor, 1, 56);
  const start = cursor;
  record(slot, 1, 64 + size, 0, 0);
  store<u64>(start, 0, 16);
}

function ask(slot: u32, text: u32, length: u32, id: u16): void {
  message(slot, attribute(cursor + 64, id, text, length));
}

function refer(slot: u32, key: u64): void {
  store<u16>(cursor, 0, 64);
  store<u16>(cursor, 8, 66);
  store<u64>(cursor, key, 68);
  store<u32>(cursor, 0, 76);
  message(slot, 16);
}
`;

export function trialModule(): Promise<TestModule> {
  return compileModule(SOURCE, TRIAL_MANIFEST);
}

/** The same as a file, with golden cases. */
export async function trialFile(casesText: string): Promise<Uint8Array> {
  return packModule(await compileSource(SOURCE), JSON.stringify(TRIAL_MANIFEST), casesText);
}
