/**
 * Header fields that the configuration asks for, of HTTP of any version: the lists, and the fields of a block that were
 * found in them. Names: https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/
 *
 * A parser that has its message open while it reads the fields puts each into it (`Message.pair`). One that has not keeps
 * them here: `noCaptured`, `capture` for each field, then `sayCaptured` or `defineCaptured`.
 */

import { FROM_CLIENT, MESSAGE_PARTIAL, PAIRS_MAX, STRING_MAX } from './abi';
import { copy } from './bytes';
import { Names } from './names';
import { Definition, Message } from './output';
import { beginSettings, isSetting, nextSetting, settingAt, settingEnd } from './settings';

const requestNames: usize = memory.data(2064, 8);
const responseNames: usize = memory.data(2064, 8);

/** The fields wanted of what comes from that side. */
export function wantedFrom(direction: u32): Names {
  return Names.at(direction == FROM_CLIENT ? requestNames : responseNames);
}

/** Export it from index.ts; the manifest names both settings. */
export function configure(length: u32): u32 {
  beginSettings(length);
  while (nextSetting()) {
    if (isSetting('http.request.header')) {
      if (!Names.at(requestNames).add(settingAt, settingEnd)) return 0;
    } else if (isSetting('http.response.header')) {
      if (!Names.at(responseNames).add(settingAt, settingEnd)) return 0;
    }
  }
  return 1;
}

// ── fields kept until there is a message for them ────────────────────────────────────────────────────────────────

/** Bytes for what is kept of a block: half of the longest message. */
const CAPTURED_MAX: usize = 4096;
const captured: usize = memory.data(4096, 8);
/** A field: its name in the list (u32), length of the value (u32), the value. */
const FIELD: usize = 8;

let capturedBytes: usize = 0;
let capturedFields: u32 = 0;
/** A field that is wanted had no room. */
let isCut: bool = false;

export function noCaptured(): void {
  capturedBytes = 0;
  capturedFields = 0;
  isCut = false;
}

export function hasCaptured(): bool {
  return capturedFields != 0;
}

/** Keeps a field if the list has its name. */
export function capture(wanted: Names, name: usize, nameLength: usize, value: usize, length: usize): void {
  const found = wanted.find(name, nameLength);
  if (found == 0) return;
  if (length > <usize>STRING_MAX || capturedFields == PAIRS_MAX || capturedBytes + FIELD + length > CAPTURED_MAX) {
    isCut = true;
    return;
  }
  const at = captured + capturedBytes;
  store<u32>(at, <u32>found);
  store<u32>(at, <u32>length, 4);
  copy(at + FIELD, value, length);
  capturedBytes += FIELD + length;
  capturedFields++;
}

/** Puts what was kept into a message. */
export function sayCaptured(message: Message, id: u32): void {
  if (isCut) message.flag(MESSAGE_PARTIAL);
  for (let at = captured; at < captured + capturedBytes; at += FIELD + load<u32>(at, 4)) {
    message.pair(id, load<u32>(at), at + FIELD, load<u32>(at, 4));
  }
}

/** Keeps them for a message that is yet to come, which refers to `key`. False: something was left out. */
export function defineCaptured(slot: u32, key: u64, id: u32): bool {
  const definition = Definition.open(slot, key);
  let isWhole = !isCut;
  for (let at = captured; at < captured + capturedBytes; at += FIELD + load<u32>(at, 4)) {
    isWhole = definition.pair(id, load<u32>(at), at + FIELD, load<u32>(at, 4)) && isWhole;
  }
  definition.commit();
  return isWhole;
}
