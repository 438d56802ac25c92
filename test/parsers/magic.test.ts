/**
 * A magic spares a module the question, and keeps no connection from it: whatever a chunk begins with that none of the
 * prefixes fits, identify() refuses it. Of the modules that list every byte their protocol can begin with.
 */
import { expect, test } from 'vitest';
import { loadParsers, type Parser } from '../../fuzz/parsers.ts';
import { Harness } from '../../host/modules/trial/harness.ts';
import { DATA, FROM_CLIENT, FROM_SERVER, IDENTIFY_NO } from '../../parsers/sdk/abi.ts';

const ALL_BYTES = Array.from({ length: 256 }, (_, byte) => byte);
const parsers = (await loadParsers()).filter(({ name }) => name === 'http1' || name === 'redis');

test.each(parsers)('$name is asked about every first byte that it does not refuse', (parser) => {
  const harness = new Harness(parser);
  const listed = parser.manifest.magic.map((prefix) => prefix.charCodeAt(0));
  const [client, server] = [tailsOf(parser, FROM_CLIENT), tailsOf(parser, FROM_SERVER)];
  expect(Math.min(client.length, server.length)).toBeGreaterThan(20);
  const claimed = ALL_BYTES.filter((byte) =>
    [client, server].some((tails, direction) =>
      tails.some((tail) => {
        const bytes = Uint8Array.of(byte, ...tail);
        const step = { kind: DATA, direction, bytes, wireLength: bytes.length, timestamp: 1 };
        return harness.identify([step]) !== IDENTIFY_NO;
      }),
    ),
  );
  expect(listed.sort((a, b) => a - b)).toEqual(claimed);
});

/** What follows the first byte in the cases, and nothing at all. */
function tailsOf({ cases }: Parser, direction: number): Uint8Array[] {
  const steps = cases.flatMap((one) => one.steps).filter((step) => step.direction === direction);
  const tails = new Map(steps.map(({ bytes }) => [Buffer.from(bytes).toString('latin1'), bytes.subarray(1)]));
  return [new Uint8Array(), ...tails.values()];
}
