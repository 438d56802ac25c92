/** When a server says "later": both forms of Retry-After, and gRPC's RetryInfo, which is read by hand. */
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { parseRetryAfter } from '../../host/export/otlp-http.ts';
import { retryDelayMs } from '../../host/export/retry-info.ts';

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');

  it.each([
    [undefined, undefined],
    ['0', 0],
    ['120', 120_000],
    [' 7 ', 7000],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Thu, 01 Jan 2015 00:01:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
    ['99999999999999999999', undefined],
  ])('%j is %j ms', (header, ms) => {
    expect(parseRetryAfter(header, now)).toBe(ms);
  });
});

const types = protobuf.parse(`
  syntax = "proto3";
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message Any { string type_url = 1; bytes value = 2; }
  message RetryInfo { Duration retry_delay = 1; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
`).root;

function encode(type: string, value: object): Uint8Array {
  const message = types.lookupType(type);
  return message.encode(message.fromObject(value)).finish();
}

function status(delay: object): Uint8Array {
  const info = {
    typeUrl: 'type.googleapis.com/google.rpc.RetryInfo',
    value: encode('RetryInfo', { retryDelay: delay }),
  };
  const other = { typeUrl: 'type.googleapis.com/google.rpc.DebugInfo', value: Buffer.from('x'.repeat(300)) };
  return encode('Status', { code: 8, message: 'too much', details: [other, info] });
}

describe('RetryInfo', () => {
  it('is found among other details', () => {
    expect(retryDelayMs(status({ seconds: 90, nanos: 500_000_000 }))).toBe(90_500);
    expect(retryDelayMs(status({ nanos: 1_000_000 }))).toBe(1);
    expect(retryDelayMs(status({}))).toBe(0);
  });

  it('is not found where there is none', () => {
    expect(retryDelayMs(encode('Status', { code: 8, message: 'no' }))).toBeUndefined();
    expect(retryDelayMs(new Uint8Array())).toBeUndefined();
  });

  it('any bytes: an answer, never an exception or a loop', () => {
    const whole = status({ seconds: 3, nanos: 4 });
    for (let length = 0; length < whole.length; length++) retryDelayMs(whole.subarray(0, length));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const delay = retryDelayMs(bytes);
        return delay === undefined || delay >= 0;
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const mutated = Uint8Array.from(whole);
        mutated[at] = byte;
        const delay = retryDelayMs(mutated);
        return delay === undefined || delay >= 0;
      }),
      { numRuns: 2000 },
    );
  });
});
