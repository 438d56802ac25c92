/**
 * A header block as the parser needs it: the fields that matter, each copied once, and whether any were unknown.
 * Pseudo-header fields: https://www.rfc-editor.org/rfc/rfc9113#section-8.3
 */

import {
  BAD,
  beginBlock,
  block,
  FIELD,
  fieldName,
  fieldNameLength,
  fieldStatic,
  fieldTag,
  fieldUnknown,
  fieldValue,
  fieldValueLength,
  nextField,
  tagField,
} from '../hpack/decoder';
import { UNKNOWN_NAME } from '../hpack/entry';
import { Table } from '../hpack/table';
import { copy, isDigit, isText } from '../sdk/bytes';
import { capture, noCaptured, wantedFrom } from '../sdk/headers';

/** Numbers of what is kept; also bits of `seen`. */
export const METHOD: u32 = 0;
export const PATH: u32 = 1;
export const SCHEME: u32 = 2;
export const AUTHORITY: u32 = 3;
export const STATUS: u32 = 4;
export const USER_AGENT: u32 = 5;
export const CONTENT_TYPE: u32 = 6;
export const TRACEPARENT: u32 = 7;
export const TRACESTATE: u32 = 8;
export const GRPC_STATUS: u32 = 9;
export const GRPC_MESSAGE: u32 = 10;
export const GRPC_TIMEOUT: u32 = 11;
export const GRPC_ENCODING: u32 = 12;
export const HOST: u32 = 13;
const KEPT: u32 = 14;
const NONE: u32 = 254;

const WORD_APPLICAT: u64 = 0x746163696c707061; // applicat
const WORD_ION_GRPC: u64 = 0x637072672f6e6f69; // ion/grpc

/** A path of 2048 bytes with a query of 2048. */
const VALUE_MAX: u32 = 4104;
const VALUES: usize = memory.data(57456, 8);
/** For each kind u32 address of its value, and u32 length. */
const PLACES: usize = memory.data(56, 8);
const LENGTHS: usize = memory.data(56, 8);

/** One bit for each kind of field that was there. */
let seen: u32 = 0;
/** Some fields were unknown: what is not in `seen` may have been there. */
export let hasUnknown: bool = false;

/** Reads a whole block of that side. False: it is none, and the table is void. */
export function readFields(table: Table, from: usize, end: usize, direction: u32): bool {
  noFields(false);
  beginBlock(table, from, end);
  const wanted = wantedFrom(direction);
  const isWanting = wanted.count != 0;
  while (nextField() == FIELD) {
    if (fieldUnknown != 0) {
      // Where the name is known, it is one that nothing depends on (hpack/doubt.ts).
      if ((fieldUnknown & UNKNOWN_NAME) != 0) hasUnknown = true;
      continue;
    }
    keep(fieldKind(), from, end);
    if (isWanting) capture(wanted, fieldName, fieldNameLength, fieldValue, fieldValueLength);
  }
  if (block != BAD) return true;
  noFields(true);
  return false;
}

/** A block that nothing is known of. */
export function noFields(areUnknown: bool): void {
  seen = 0;
  hasUnknown = areUnknown;
  noCaptured();
}

export function has(kind: u32): bool {
  return ((seen >> kind) & 1) != 0;
}

export function valueAt(kind: u32): usize {
  return load<u32>(PLACES + (kind << 2));
}

export function lengthOf(kind: u32): u32 {
  return load<u32>(LENGTHS + (kind << 2));
}

export function endOf(kind: u32): usize {
  return valueAt(kind) + lengthOf(kind);
}

/** The status of three digits; 0 when there is none. */
export function statusOf(): u32 {
  const at = valueAt(STATUS);
  if (!has(STATUS) || lengthOf(STATUS) != 3) return 0;
  if (!isDigit(load<u8>(at)) || !isDigit(load<u8>(at, 1)) || !isDigit(load<u8>(at, 2))) return 0;
  return <u32>load<u8>(at) * 100 + <u32>load<u8>(at, 1) * 10 + load<u8>(at, 2) - 5328;
}

/** `application/grpc`, also with `+proto` and the like; `application/grpc-web` is another protocol. */
export function isGrpc(): bool {
  if (!has(CONTENT_TYPE)) return false;
  const at = valueAt(CONTENT_TYPE);
  const end = endOf(CONTENT_TYPE);
  if (end - at < 16 || load<u64>(at) != WORD_APPLICAT || load<u64>(at, 8) != WORD_ION_GRPC) return false;
  return end - at == 16 || load<u8>(at, 16) == 0x2b || load<u8>(at, 16) == 0x3b;
}

/** Told by the name, once for each entry: tags are kinds and one. */
function fieldKind(): u32 {
  if (fieldTag != 0) return fieldTag - 1;
  const kind = kindOf(fieldName, fieldName + fieldNameLength);
  tagField(kind + 1);
  return kind;
}

/**
 * The first of its kind counts. What lies in the block stays where it is until the next one is read, and so does the
 * static table; scratch memory and the dynamic table may change with the next field.
 */
function keep(kind: u32, from: usize, end: usize): void {
  if (kind == NONE || has(kind)) return;
  const length = min(fieldValueLength, VALUE_MAX);
  const place = kind << 2;
  const stays =
    (fieldValue >= from && fieldValue < end) || (fieldStatic != 0 && fieldValue == fieldName + fieldNameLength);
  const at = stays && kind != GRPC_MESSAGE ? fieldValue : VALUES + kind * VALUE_MAX;
  // A message of gRPC is decoded in place.
  if (at != fieldValue) copy(at, fieldValue, length);
  store<u32>(PLACES + place, <u32>at);
  store<u32>(LENGTHS + place, length);
  seen |= 1 << kind;
}

function kindOf(at: usize, end: usize): u32 {
  switch (<u32>(end - at)) {
    case 4:
      return isText(at, end, 'host') ? HOST : NONE;
    case 5:
      return isText(at, end, ':path') ? PATH : NONE;
    case 7:
      return pseudo(at, end);
    case 10:
      if (isText(at, end, ':authority')) return AUTHORITY;
      if (isText(at, end, 'user-agent')) return USER_AGENT;
      return isText(at, end, 'tracestate') ? TRACESTATE : NONE;
    case 11:
      if (isText(at, end, 'traceparent')) return TRACEPARENT;
      return isText(at, end, 'grpc-status') ? GRPC_STATUS : NONE;
    case 12:
      if (isText(at, end, 'content-type')) return CONTENT_TYPE;
      if (isText(at, end, 'grpc-message')) return GRPC_MESSAGE;
      return isText(at, end, 'grpc-timeout') ? GRPC_TIMEOUT : NONE;
    case 13:
      return isText(at, end, 'grpc-encoding') ? GRPC_ENCODING : NONE;
  }
  return NONE;
}

function pseudo(at: usize, end: usize): u32 {
  if (isText(at, end, ':method')) return METHOD;
  if (isText(at, end, ':status')) return STATUS;
  return isText(at, end, ':scheme') ? SCHEME : NONE;
}

if (KEPT * VALUE_MAX != 57456) ERROR('VALUES has another size');
