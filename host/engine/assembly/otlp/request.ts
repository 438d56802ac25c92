/**
 * Encodes rows of spans as an ExportTraceServiceRequest of OTLP: one ResourceSpans for each resource, in the order in
 * which they first come. Requests can be joined by writing one behind the other.
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/collector/trace/v1/trace_service.proto
 */
import {
  OUTPUT,
  PROTOCOL_IS_USED,
  RESOURCE_FIELDS,
  RESOURCE_FIRST,
  RESOURCE_LAST,
  ROW_NEXT,
  SCOPE_FIELD,
  USED_PROTOCOL_COUNT,
  USED_PROTOCOLS,
  USED_RESOURCE_COUNT,
  USED_RESOURCES,
} from '../../layout/otlp';
import { ROW_PROTOCOL, ROW_RESOURCE } from '../../layout/spans';
import { BYTES, copyBytes, fillRoom, ROOM, tag } from './protobuf';
import { writeSpan } from './span';

const RESOURCE_SPANS: u8 = 1;
const SCOPE_SPANS: u8 = 2;
const SPANS: u8 = 2;

/** Rows from..to - 1 are at work: links those of each resource, and lists the resources and protocols they have. */
export function selectRows(from: u32, to: u32): void {
  forget();
  for (let row = from; row < to; row++) {
    link(row);
    const protocol = <u32>load<u16>(ROW_PROTOCOL + (row << 1));
    if (load<u8>(PROTOCOL_IS_USED + protocol) != 0) continue;
    store<u8>(PROTOCOL_IS_USED + protocol, 1);
    append(USED_PROTOCOLS, USED_PROTOCOL_COUNT, protocol);
  }
}

/** Writes the selected rows to OUTPUT; returns where they end. What they refer to must stand there, and fit. */
export function encodeRows(): u32 {
  let to: usize = OUTPUT;
  const count = load<u32>(USED_RESOURCE_COUNT);
  for (let i: u32 = 0; i < count; i++) to = writeResourceSpans(to, load<u32>(USED_RESOURCES + (i << 2)));
  return <u32>to;
}

/** Of what was selected before. */
function forget(): void {
  const resources = load<u32>(USED_RESOURCE_COUNT);
  for (let i: u32 = 0; i < resources; i++) store<u32>(RESOURCE_FIRST + (load<u32>(USED_RESOURCES + (i << 2)) << 2), 0);
  const protocols = load<u32>(USED_PROTOCOL_COUNT);
  for (let i: u32 = 0; i < protocols; i++) store<u8>(PROTOCOL_IS_USED + load<u32>(USED_PROTOCOLS + (i << 2)), 0);
  store<u32>(USED_RESOURCE_COUNT, 0);
  store<u32>(USED_PROTOCOL_COUNT, 0);
}

function link(row: u32): void {
  const resource = load<u32>(ROW_RESOURCE + (row << 2));
  const first = RESOURCE_FIRST + (resource << 2);
  const last = RESOURCE_LAST + (resource << 2);
  if (load<u32>(first) != 0) store<u32>(ROW_NEXT + ((load<u32>(last) - 1) << 2), row + 1);
  else {
    store<u32>(first, row + 1);
    append(USED_RESOURCES, USED_RESOURCE_COUNT, resource);
  }
  store<u32>(last, row + 1);
  store<u32>(ROW_NEXT + (row << 2), 0);
}

function append(list: usize, count: usize, number: u32): void {
  const length = load<u32>(count);
  store<u32>(list + (length << 2), number);
  store<u32>(count, length + 1);
}

function writeResourceSpans(to: usize, resource: u32): usize {
  const resourceSpans = to + 1;
  store<u8>(to, tag(RESOURCE_SPANS, BYTES));
  to = writeEncoded(resourceSpans + ROOM, RESOURCE_FIELDS + (resource << 3));
  const scopeSpans = to + 1;
  store<u8>(to, tag(SCOPE_SPANS, BYTES));
  to = writeEncoded(scopeSpans + ROOM, SCOPE_FIELD);
  for (let next = load<u32>(RESOURCE_FIRST + (resource << 2)); next != 0; ) {
    const row = next - 1;
    store<u8>(to, tag(SPANS, BYTES));
    const end = writeSpan(to + 1 + ROOM, row);
    fillRoom(to + 1, end);
    to = end;
    next = load<u32>(ROW_NEXT + (row << 2));
  }
  fillRoom(scopeSpans, to);
  fillRoom(resourceSpans, to);
  return to;
}

/** Copies what an address and length stand for. */
function writeEncoded(to: usize, encoded: usize): usize {
  const length = load<u32>(encoded, 4);
  copyBytes(to, load<u32>(encoded), length);
  return to + length;
}
