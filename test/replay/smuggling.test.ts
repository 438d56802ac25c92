/**
 * The known request-smuggling shapes, as captures that others made: framed as RFC 9112 section 6.3 says, flagged where
 * the framing is one to be abused, and no request gets the answer of another. Most hold the client's side only.
 */
import { describe, expect, it } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { DIRECTION_IN, KIND_DATA, RECORD, RECORD_SIZE } from '../../host/kernel/layout.ts';
import { type Output, parse } from '../../host/modules/trial/harness.ts';
import type { Step } from '../../host/modules/trial/steps.ts';
import { openReplay } from '../../host/replay/source.ts';
import { DATA, FROM_CLIENT, FROM_SERVER } from '../../parsers/sdk/abi.ts';
import { capturesOf } from './corpora.ts';

const http1 = (await loadParsers()).find(({ name }) => name === 'http1');
const captures = http1
  ? capturesOf('zeek/http').filter(({ name }) => /\/(variant-|smuggle-|http-desync-)/.test(name))
  : [];
const BATCH_BYTES = 256 * 1024;

/** What each becomes: requests and responses in the order in which they are told. */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  // A server that answers once more than it is asked, twice: told as it was.
  'http-desync-request-response-5.pcap': [
    'GET / 0',
    'response 200 19',
    'response 200 19',
    'response 200 19',
    ...Array.from({ length: 4 }, () => ['GET / 0', 'response 200 19']).flat(),
  ],
  // What is smuggled is for a parser of MIME in the body: as HTTP both requests are well-formed.
  'smuggle-http-request.pcap': ['POST /first 80', 'response 200 35', 'POST /smuggle-this 0', 'response 200 35'],
  // The length cannot be true: nothing behind the head can be told from body.
  'variant-02-cl_uint64max.pcap': ['POST / 0 suspect'],
  // Transfer-Encoding overrides Content-Length.
  'variant-04-te_cl_desync.pcap': ['POST / 0 suspect', 'GET /smuggled-te-cl 0'],
  'variant-08-leading_zeros.pcap': ['POST / 50 suspect', 'GET /smuggled-leading-zeros 0'],
  // A request whose last coding is not chunked has no length.
  'variant-10-multi_value_te.pcap': ['POST / 0 suspect'],
};

describe.skipIf(captures.length === 0)('smuggling shapes of others', () => {
  it('every one of them is looked at', () => {
    expect(captures.map(({ name }) => name.split('/').at(-1))).toEqual(Object.keys(EXPECTED));
  });

  it.each(captures)('$name', ({ name, path }) => {
    const output = parse(http1!, stepsOf(path));
    expect(output.map(lineOf)).toEqual(EXPECTED[name.split('/').at(-1)!]);
  });
});

function lineOf({ type, status, bodyBytes, flags, attributes }: Output): string {
  const what =
    type === 'request' ? `${attributes['http.request.method']} ${attributes['url.path']}` : `${type} ${status}`;
  return `${what} ${bodyBytes}${flags.map((flag) => ` ${flag}`).join('')}`;
}

/** The bytes of a capture's only connection. */
function stepsOf(path: string): Step[] {
  const source = openReplay(path);
  const steps: Step[] = [];
  const batch = new ArrayBuffer(BATCH_BYTES);
  const view = new DataView(batch);
  for (let length = source.drain(batch, 0, BATCH_BYTES); length > 0 || !source.finished; ) {
    for (let at = 0; at < length; at = (at + view.getUint32(at + RECORD.length, true) + 7) & ~7) {
      if (view.getUint8(at + RECORD.kind) !== KIND_DATA) continue;
      const captured = view.getUint32(at + RECORD.captured, true);
      const direction = (view.getUint8(at + RECORD.direction) & 1) === DIRECTION_IN ? FROM_CLIENT : FROM_SERVER;
      const bytes = new Uint8Array(batch, at + RECORD_SIZE, captured).slice();
      steps.push({ kind: DATA, direction, bytes, wireLength: captured, timestamp: steps.length + 1 });
    }
    length = source.drain(batch, 0, BATCH_BYTES);
  }
  source.close();
  return steps;
}
