/**
 * A protocol for tests, small enough to reason about. The client sends lines `Q name`, the server answers `A name`;
 * `N name` needs no answer, `P name` is pushed by the server. A chunk holds whole lines; anything missing is a DESYNC.
 * A line that begins with `!` makes the module misbehave: see COMMANDS in the source.
 */
import { compileModule, type TestModule } from './compile.ts';

export const SLOTS = [64, 128, 256] as const;

export const LINE_MANIFEST = {
  name: 'line',
  version: '1.0.0',
  abi: { major: 1, minor: 0 },
  protocols: [
    {
      name: 'line',
      kind: 'rpc',
      pairing: 'fifo',
      spanName: 'ask {rpc.method}',
      spanNameFallback: 'ask',
      status: { attribute: 'rpc.status', error: { server: 500, client: 400 } },
      constants: { 'rpc.system': 'line' },
    },
  ],
  ports: [4000],
  magic: ['Q ', 'N ', 'A ', 'P ', '!'],
  slots: SLOTS,
  stateVersion: 1,
  limits: { memoryPages: 512, fuelPerKiB: 200_000, outputPerCall: 262_144 },
  attributes: [
    { id: 1, name: 'rpc.method', type: 'string' },
    { id: 2, name: 'rpc.reply', type: 'string' },
    { id: 3, name: 'traceparent', type: 'string', role: 'traceparent' },
  ],
};

const SOURCE = `
import { DATA, DESYNC, EOF, GAP, GIVE_UP, GROW, MESSAGE_NO_RESPONSE, MESSAGE_PUSH, OUT_LENGTH, OUT_SLOT, REQUEST, RESET,
  RESPONSE, SHRINK, UPGRADE } from './parsers/sdk/abi';
import { Chunk, SlotHeader } from './parsers/sdk/chunk';
import { beginOutput, endOutput, enter, hasRoom, hint, Message } from './parsers/sdk/output';
import { outputArena, setOutputLength } from './parsers/sdk/module';
export { abi_version, layout } from './parsers/sdk/module';

const LF: u8 = 0x0a;

@unmanaged
class State extends SlotHeader {
  /** Lines seen on this connection: survives every move of the slot. */
  lines: u32;
}

export function open(slot: u32, _flags: u32): void {
  if (trapOnOpen) unreachable();
}

export function close(_slot: u32): void {
  if (trapOnClose) unreachable();
}

let trapOnOpen = false;
let trapOnClose = false;

export function identify(count: u32): u32 {
  for (let i: u32 = 0; i < count; i++) {
    const chunk = Chunk.at(i);
    if (chunk.length < 2) return 1;
    const first = load<u8>(chunk.data);
    if (first == 0x3f) unreachable(); // '?'
    const fromServer = first == 0x41 || first == 0x50; // 'A', 'P'
    if (fromServer == (chunk.direction == 1)) return 100;
    return 0x100 + 100;
  }
  return 1;
}

export function run(first: u32, end: u32): u32 {
  beginOutput();
  let index = first;
  while (index < end && consume(enter(index))) index++;
  if (overrun > 0) setOutputLength(overrun);
  else if (noOutput) setOutputLength(0);
  else endOutput();
  if (answer > 0) return index + answer;
  return noOutput ? first : index;
}

let overrun: u32 = 0;
let noOutput = false;
let answer: u32 = 0;

function consume(chunk: Chunk): bool {
  if (chunk.kind == GAP) hint(chunk.slot, DESYNC);
  if (chunk.kind != DATA) return true;
  const state = changetype<State>(<usize>chunk.slot);
  while (chunk.length > 0) {
    if (!hasRoom()) return false;
    let size: u32 = 0;
    while (size < chunk.length && load<u8>(chunk.data + size) != LF) size++;
    if (load<u8>(chunk.data) == 0x21 && !misbehave(chunk, load<u8>(chunk.data + 1))) return false;
    else if (isKind(load<u8>(chunk.data))) say(chunk, load<u8>(chunk.data), chunk.data + 2, size > 2 ? size - 2 : 0);
    state.lines++;
    chunk.advance(size < chunk.length ? size + 1 : size);
  }
  if (chunk.missing > 0) hint(chunk.slot, DESYNC);
  return true;
}

/** Q, N, A, P */
function isKind(byte: u8): bool {
  return byte == 0x51 || byte == 0x4e || byte == 0x41 || byte == 0x50;
}

function say(chunk: Chunk, kind: u8, from: usize, length: u32): void {
  const isRequest = kind == 0x51 || kind == 0x4e;
  const message = Message.open(chunk.slot, isRequest ? REQUEST : RESPONSE);
  message.first = chunk.timestamp;
  message.last = chunk.timestamp;
  message.bytes = length;
  message.bodyBytes = length;
  if (kind == 0x4e) message.flag(MESSAGE_NO_RESPONSE);
  if (kind == 0x50) message.flag(MESSAGE_PUSH);
  if (kind == 0x41) message.status = 200;
  message.string(isRequest ? 1 : 2, from, length);
  message.commit();
}

/** COMMANDS. False ends the run at this chunk. */
function misbehave(chunk: Chunk, command: u8): bool {
  switch (command) {
    case 0x74: // t: trap
      unreachable();
    case 0x67: // g: grow once, then go on
      if (changetype<State>(<usize>chunk.slot).size > 64) return true;
      hint(chunk.slot, GROW);
      return false;
    case 0x47: // G: grow for ever
      hint(chunk.slot, GROW);
      return false;
    case 0x73: // s: shrink
      hint(chunk.slot, SHRINK);
      return true;
    case 0x77: { // w: asks for what it holds to be told: the number of lines seen
      const message = Message.open(chunk.slot, REQUEST);
      message.status = changetype<State>(<usize>chunk.slot).lines;
      message.first = chunk.timestamp;
      message.last = chunk.timestamp;
      message.flag(MESSAGE_NO_RESPONSE);
      message.commit();
      return true;
    }
    case 0x6c: // l: a record of a length that is no multiple of 8
      hint(chunk.slot, DESYNC);
      store<u32>(outputArena, 17, OUT_LENGTH);
      return true;
    case 0x7a: // z: a record of no length
      hint(chunk.slot, DESYNC);
      store<u32>(outputArena, 0, OUT_LENGTH);
      return true;
    case 0x66: // f: a record of a slot that is not there
      hint(chunk.slot + 64 * 1000, DESYNC);
      return true;
    case 0x75: // u: a record of an address that is no slot
      hint(chunk.slot + 8, DESYNC);
      return true;
    case 0x61: { // a: an attribute that runs over the end of its message
      const message = Message.open(chunk.slot, REQUEST);
      message.string(1, chunk.data, 4);
      message.commit();
      store<u16>(changetype<usize>(message) + 66, 60000);
      return true;
    }
    case 0x63: { // c: more attributes than there are
      const message = Message.open(chunk.slot, REQUEST);
      message.commit();
      store<u16>(changetype<usize>(message) + 56, 65535);
      return true;
    }
    case 0x70: { // p: a protocol that the manifest has not
      const message = Message.open(chunk.slot, REQUEST);
      message.protocol = 7;
      message.commit();
      return true;
    }
    case 0x30: { // 0: a message of type 0
      const message = Message.open(chunk.slot, 0);
      message.commit();
      return true;
    }
    case 0x6f: // o: output longer than its arena
      overrun = 0x7ffffff8;
      return true;
    case 0x6e: // n: no progress, no output
      noOutput = true;
      return true;
    case 0x72: // r: a result beyond the chunks
      answer = 100000;
      return true;
    case 0x6d: // m: takes memory for itself
      memory.grow(1);
      return true;
    case 0x4f: // O: traps at the next open
      trapOnOpen = true;
      return true;
    case 0x43: // C: traps at the next close
      trapOnClose = true;
      return true;
    case 0x78: // x: gives up
      hint(chunk.slot, GIVE_UP);
      return true;
    case 0x76: // v: upgrades to a tunnel
    case 0x56: // V: upgrades to WebSocket
      chunk.advance(3);
      hint(chunk.slot, UPGRADE, command == 0x76 ? 1 : 2);
      return false;
    case 0x65: { // e: emits for ever: one message and no progress
      const message = Message.open(chunk.slot, REQUEST);
      message.commit();
      return false;
    }
  }
  return true;
}
`;

let compiled: Promise<TestModule> | undefined;

export function lineModule(): Promise<TestModule> {
  compiled ??= compileModule(SOURCE, LINE_MANIFEST);
  return compiled;
}
