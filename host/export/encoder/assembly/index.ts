/**
 * Encodes a batch of spans as an ExportTraceServiceRequest of OTLP: one ResourceSpans for each resource, in the order in
 * which they first come. Requests can be joined by writing one behind the other.
 * https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/collector/trace/v1/trace_service.proto
 */
import {
  BATCH_ENDPOINTS,
  BATCH_NEXT,
  BATCH_RESOURCE_COUNT,
  BATCH_RESOURCES,
  BATCH_SCOPE,
  BATCH_SPANS,
  ENDPOINT_RESOURCE,
} from '../layout';
import { BYTES, copyBytes, fillRoom, ROOM, tag } from './protobuf';
import { attributeBytes, writeSpan } from './span';

const RESOURCE_SPANS: u8 = 1;
const SCOPE_SPANS: u8 = 2;
const SPANS: u8 = 2;
const NONE: u32 = 0xffff_ffff;
const PAGE: usize = 65536;

/** Where the host's memory begins. */
export function base(): usize {
  return __heap_base;
}

/** Bytes behind the output that a copy may touch. */
const SLACK: usize = 64;

/**
 * Writes the request to `output`, and what is behind it may be used, too; returns where it ends. Grows the memory as it
 * needs. `fixedBytes` is what a span takes at most beside its attributes' values, `copies` how often a value may stand
 * in it.
 */
export function encode(batch: usize, output: usize, fixedBytes: usize, copies: usize): usize {
  linkByResource(batch);
  const resources = <usize>load<u32>(batch, BATCH_RESOURCES);
  const heads = resources + load<u32>(batch, BATCH_RESOURCE_COUNT) * 8;
  let to = output;
  for (let resource: u32 = 0; resource < load<u32>(batch, BATCH_RESOURCE_COUNT); resource++) {
    const first = load<u32>(heads + resource * 4);
    if (first != NONE) to = writeResourceSpans(to, batch, resources + resource * 8, first, fixedBytes, copies);
  }
  return to;
}

/** The spans of each resource as a list through BATCH_NEXT, whose heads stand behind the table of resources. */
function linkByResource(batch: usize): void {
  const count = load<u32>(batch, BATCH_RESOURCE_COUNT);
  const heads = <usize>load<u32>(batch, BATCH_RESOURCES) + count * 8;
  memory.fill(heads, 0xff, count * 4);
  const next = <usize>load<u32>(batch, BATCH_NEXT);
  const endpoints = <usize>load<u32>(batch, BATCH_ENDPOINTS);
  for (let i: i32 = <i32>load<u32>(batch, BATCH_SPANS) - 1; i >= 0; i--) {
    const head = heads + load<u32>(load<u32>(endpoints + i * 4), ENDPOINT_RESOURCE) * 4;
    store<u32>(next + i * 4, load<u32>(head));
    store<u32>(head, i);
  }
}

function writeResourceSpans(
  to: usize,
  batch: usize,
  resource: usize,
  first: u32,
  fixedBytes: usize,
  copies: usize,
): usize {
  ensure(to + load<u32>(resource, 4) + load<u32>(batch, BATCH_SCOPE + 4) + 32);
  const resourceSpans = to + 1;
  store<u8>(to, tag(RESOURCE_SPANS, BYTES));
  to = writeEncoded(resourceSpans + ROOM, resource);
  const scopeSpans = to + 1;
  store<u8>(to, tag(SCOPE_SPANS, BYTES));
  to = writeEncoded(scopeSpans + ROOM, batch + BATCH_SCOPE);
  const next = <usize>load<u32>(batch, BATCH_NEXT);
  for (let i = first; i != NONE; i = load<u32>(next + i * 4)) {
    const most = fixedBytes + attributeBytes(batch, i) * copies;
    ensure(to + 2 * most);
    store<u8>(to, tag(SPANS, BYTES));
    const end = writeSpan(to + 1 + ROOM, batch, i, to + most);
    fillRoom(to + 1, end);
    to = end;
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

function ensure(end: usize): void {
  const missing = end + SLACK - ((<usize>memory.size()) << 16);
  if (<isize>missing > 0) memory.grow(<i32>((missing + PAGE - 1) / PAGE + 16));
}
