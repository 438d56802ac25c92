/**
 * What a client says: what is asked, and what of it is remembered. A frame is described by the variables of framer.ts.
 * Rule: no password leaves this module, nor a value of Bind, nor what is copied.
 */
import { copy, findByte } from '../sdk/bytes';
import { frameAt, frameBytes, frameFirst, frameKept } from '../sdk/framer';
import { CANCEL_REQUEST, HEADER, isStartup, UNTYPED_HEADER } from './header';
import { writeCancel, writeExecute, writeFunction, writeQuery } from './message';
import { COPY_END, EXECUTE, QUERY, START, SYNC } from './queue';
import { Connection, NAMESPACE_MAX } from './state';
import { executed, readBind, readClose, readParse, readText } from './statement';

const USER: u64 = 0x72657375; // "user", as a little-endian number
const REPLICATION: u64 = 0x746163696c706572; // "replicat"
const DATABASE: u64 = 0x6573616261746164; // "database"

/** Start-up, or a request that comes before it. */
export function readUntyped(c: Connection, code: u32, now: u64): void {
  if (code == CANCEL_REQUEST) writeCancel(c, now);
  else if (!isStartup(code)) c.asked = code;
  else readStartup(c, now);
}

function readStartup(c: Connection, now: u64): void {
  c.isUntyped = false;
  c.startFirst = frameFirst;
  c.startLast = now;
  c.startBytes = <u32>frameBytes;
  c.ask(START);
  readParameters(c, frameAt + UNTYPED_HEADER, frameAt + frameKept);
}

/** Pairs of texts, and a zero. The database is called like the user when it is not named; replication needs none. */
function readParameters(c: Connection, at: usize, end: usize): void {
  let isReplication = false;
  while (at < end && load<u8>(at) != 0) {
    const nameEnd = findByte(at, end, 0);
    const value = nameEnd + 1;
    const valueEnd = value < end ? findByte(value, end, 0) : end;
    if (valueEnd == end) break;
    const length = nameEnd - at;
    if (length == 8 && load<u64>(at) == DATABASE) {
      setNamespace(c, value, valueEnd);
      return;
    }
    if (length == 4 && load<u32>(at) == <u32>USER) setNamespace(c, value, valueEnd);
    if (length == 11 && load<u64>(at) == REPLICATION) isReplication = true;
    at = valueEnd + 1;
  }
  if (isReplication || at >= end || load<u8>(at) != 0) forgetNamespace(c);
}

/** The parameters end in lost bytes, or too late: the database may be another. */
function forgetNamespace(c: Connection): void {
  c.namespaceLength = 0;
}

function setNamespace(c: Connection, from: usize, end: usize): void {
  const length = end - from;
  c.namespaceLength = length <= NAMESPACE_MAX ? <u8>length : 0;
  copy(c.namespace, from, c.namespaceLength);
}

export function readClient(c: Connection, type: u32, now: u64): void {
  switch (type) {
    case 0x51: // Q
      readQuery(c, now);
      return;
    case 0x50: // P
      readParse(c);
      return;
    case 0x42: // B
      readBind(c);
      return;
    case 0x45: // E
      if (c.aligned) writeExecute(c, executed(c), now);
      c.ask(EXECUTE);
      return;
    case 0x43: // C
      readClose(c);
      return;
    case 0x53: // S
      if (!c.copying) c.ask(SYNC);
      return;
    case 0x46: // F
      if (c.aligned) writeFunction(c, now);
      c.ask(QUERY);
      return;
    case 0x63: // c
    case 0x66: // f
      endCopy(c);
  }
}

function readQuery(c: Connection, now: u64): void {
  readText(c, frameAt + HEADER);
  if (c.aligned) writeQuery(c, now);
  c.ask(QUERY);
}

function endCopy(c: Connection): void {
  if (c.copying) c.copying = false;
  else if (c.aligned && c.queue.has(EXECUTE)) c.ask(COPY_END);
}
