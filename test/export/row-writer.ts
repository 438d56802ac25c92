/** Puts a sealed batch into the rows of an engine, as if its spans had been assembled there. */
import type { Engine } from '../../host/engine/engine.ts';
import * as l from '../../host/engine/layout/spans.ts';
import type { SealedBatch, SpanColumns } from '../../host/spans/batch.ts';
import type { FilledBatch } from '../../host/spans/span.ts';

const COLUMNS: readonly (readonly [at: number, name: keyof SpanColumns])[] = [
  [l.ROW_PROTOCOL, 'protocol'],
  [l.ROW_FLAGS, 'flags'],
  [l.ROW_TRACE_FLAGS, 'traceFlags'],
  [l.ROW_STATUS, 'status'],
  [l.ROW_TRACE_ID, 'traceId'],
  [l.ROW_SPAN_ID, 'spanId'],
  [l.ROW_PARENT_SPAN_ID, 'parentSpanId'],
  [l.ROW_START, 'start'],
  [l.ROW_END, 'end'],
  [l.ROW_REQUEST_BODY, 'requestBodyBytes'],
  [l.ROW_RESPONSE_BODY, 'responseBodyBytes'],
  [l.ROW_FIRST_BYTE, 'firstByteNs'],
  [l.ROW_ATTRIBUTES_AT, 'attributesAt'],
  [l.ROW_REQUEST_ATTRIBUTES, 'requestAttributes'],
  [l.ROW_RESPONSE_ATTRIBUTES, 'responseAttributes'],
  [l.ROW_FAMILY, 'family'],
  [l.ROW_LOCAL_PORT, 'localPort'],
  [l.ROW_REMOTE_PORT, 'remotePort'],
  [l.ROW_ADDRESSES, 'addresses'],
  [l.ROW_WORDS, 'words'],
];

export function putRows(engine: Engine, sealed: SealedBatch): FilledBatch {
  const { columns, length, protocols } = sealed;
  const words = columns.words.length;
  if (length > l.ROWS_MAX || words > l.ROW_WORDS_MAX) throw new RangeError(`${length} spans are no batch`);
  for (const [at, name] of COLUMNS) {
    const { buffer, byteOffset, byteLength } = columns[name];
    engine.u8.set(new Uint8Array(buffer, byteOffset, byteLength), at);
  }
  const resources = [...new Set(sealed.resources)];
  const numbers = new Map(resources.map((resource, number) => [resource, number]));
  const ofRows = sealed.resources.map((resource) => numbers.get(resource)!);
  engine.column(Uint32Array, l.ROW_RESOURCE, length).set(ofRows);
  return {
    engine,
    length,
    words,
    protocols,
    resourceOf: (number) => resources[number]!,
    isLast: true,
    seal: () => sealed,
  };
}
