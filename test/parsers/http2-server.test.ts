/**
 * The HTTP/2 parser against real servers and clients: node:http2 and gRPC talk through a tap that records both streams;
 * what the parser makes of them must agree, stream by stream, with what the client did.
 */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { Client, credentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { type Output, parse } from '../../host/modules/trial/harness.ts';
import type { Step } from '../../host/modules/trial/steps.ts';
import { DATA, FROM_CLIENT, FROM_SERVER, GAP, OPEN_MID_STREAM } from '../../parsers/sdk/abi.ts';
import { callOnce, callSpread, startGrpcServer } from '../support/grpc-server.ts';
import { callAllKinds, send, startHttp2Server } from '../support/http2-servers.ts';

const http2 = (await loadParsers()).find(({ name }) => name === 'http2');
const INPUT_BYTES = 256 * 1024;
const PREFACE_LENGTH = 24;

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

describe.skipIf(http2 === undefined)('HTTP/2 of Node', { timeout: 60_000 }, () => {
  test('bodies both ways, a thousand streams at a time', async () => {
    const { tap, session } = await startHttp2();
    const asked = Array.from({ length: 1000 }, (_, i) => ({
      path: `/item/${i}?n=${i}`,
      size: i % 7 === 0 ? 40_000 : i % 50,
    }));
    const statuses = await Promise.all(asked.map(({ path, size }) => send(session, path, size)));
    session.close();
    const { requests, responses } = split(parseAll(tap.steps));
    expect(requests.map(({ attributes: a }) => `${a['url.path']}?${a['url.query']}`)).toEqual(
      asked.map(({ path }) => path),
    );
    const byKey = new Map(responses.map((one) => [one.key, one]));
    for (const [index, { key }] of requests.entries()) {
      const { status, attributes } = byKey.get(key)!;
      const { size } = asked[index]!;
      expect([status, attributes['http.request.body.size'] ?? 0]).toEqual([statuses[index], size]);
      expect(attributes['http.response.body.size']).toBe(size * 2);
    }
    expect(responses).toHaveLength(asked.length);
    expect([...requests, ...responses].flatMap(({ flags }) => flags)).toEqual([]);
  });

  test('one read in a hundred lost: at least 95 % of the rest comes out right, and nothing wrong', async () => {
    const { tap, session } = await startHttp2();
    for (let i = 0; i < 2000; i += 4) {
      await Promise.all([0, 1, 2, 3].map((k) => send(session, `/item/${i + k}`, (i + k) % 50)));
    }
    session.close();
    const { wanted, right } = lossOf(tap.steps);
    expect(wanted).toBeGreaterThan(8000);
    expect(right / wanted).toBeGreaterThanOrEqual(0.95);
  });

  test('joined anywhere: what is said is true', async () => {
    const { tap, session } = await startHttp2();
    for (let i = 0; i < 60; i++) await send(session, `/item/${i}`, i);
    session.close();
    const truth = new Map(parseAll(tap.steps).map((one) => [place(one), one]));
    for (let from = 1; from < tap.steps.length; from += 3) {
      for (const one of parseAll(tap.steps.slice(from), OPEN_MID_STREAM)) {
        expect(truth.get(place(one))!.attributes).toMatchObject(one.attributes);
      }
    }
  });
});

describe.skipIf(http2 === undefined)('gRPC', { timeout: 60_000 }, () => {
  test('one read in a hundred lost: at least 95 % of the other calls come out right, and nothing wrong', async () => {
    const { tap, client } = await startGrpc();
    for (let i = 0; i < 600; i++) {
      await Promise.all([
        callOnce(client, 'ok'),
        callOnce(client, `fail ${1 + (i % 16)} as told`),
        callSpread(client, 3),
      ]);
    }
    client.close();
    const { wanted, right } = lossOf(tap.steps);
    expect(wanted).toBeGreaterThan(2500);
    expect(right / wanted).toBeGreaterThanOrEqual(0.95);
  });

  test('all four kinds, errors and deadlines', async () => {
    const { tap, client } = await startGrpc();
    const codes = await callAllKinds(client);
    client.close();
    expect(codes).toEqual([0, 7, 4]);
    const timed = tap.steps.map((step, at) => ({ ...step, timestamp: Math.round(tap.elapsed[at]! * 1e6) }));
    const { requests, responses } = split(parseAll(timed));
    const byKey = new Map(responses.map((one) => [one.key, one]));
    const told = requests.map(({ key, protocol, attributes }) => {
      const a = byKey.get(key)!.attributes;
      const count = (way: string) => Number(a[`rpc.${way}.message.count`] ?? -1);
      return [
        protocol,
        attributes['rpc.method'],
        a['rpc.response.status_code'],
        count('request'),
        count('response'),
        a['rpc.grpc.kind'],
      ];
    });
    expect(told).toEqual([
      [1, 't.T/Once', 'OK', 1, 1, 'unary'],
      [1, 't.T/Once', 'PERMISSION_DENIED', 1, 0, undefined],
      [1, 't.T/Once', 'DEADLINE_EXCEEDED', 1, 0, undefined],
      [1, 't.T/Gather', 'OK', 1, 1, 'unary'],
      [1, 't.T/Gather', 'OK', 3, 1, 'client_stream'],
      [1, 't.T/Spread', 'OK', 1, 4, 'server_stream'],
      [1, 't.T/Talk', 'OK', 2, 2, 'bidi_stream'],
    ]);
    expect(byKey.get(requests[1]!.key)!.attributes['rpc.response.metadata.grpc-message']).toBe('not you: é');
  });
});

// ── servers and clients ──────────────────────────────────────────────────────────────────────────────────────────

async function startHttp2() {
  const server = await startHttp2Server();
  const tap = await openTap(server.port);
  const session = connectHttp2(`http://127.0.0.1:${tap.port}`);
  endings.push(
    () => server.stop(),
    () => session.destroy(),
  );
  return { tap, session };
}

async function startGrpc() {
  const server = await startGrpcServer();
  const tap = await openTap(server.port);
  const client = new Client(`127.0.0.1:${tap.port}`, credentials.createInsecure());
  endings.push(
    () => server.stop(),
    () => client.close(),
  );
  return { tap, client };
}

// ── the tap ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Records what goes by on one connection, a step for each read; its time is its place, from 1 on. */
async function openTap(serverPort: number) {
  const steps: Step[] = [];
  const started = performance.now();
  const server: Server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    for (const [from, to, direction] of [
      [client, upstream, FROM_CLIENT],
      [upstream, client, FROM_SERVER],
    ] as const) {
      from.on('data', (bytes: Buffer) => {
        steps.push({ kind: DATA, direction, bytes, wireLength: bytes.length, timestamp: steps.length + 1 });
        elapsed.push(performance.now() - started);
        to.write(bytes);
      });
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
    }
    endings.push(() => client.destroy());
  });
  const elapsed: number[] = [];
  endings.push(() => server.close());
  return { port: await listen(server), steps, elapsed };
}

async function listen(
  server: { listen(port: number, host: string): unknown; address(): unknown } & NodeJS.EventEmitter,
) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/**
 * What is left when reads are lost at random, five times: exchanges of which every byte was captured, and how many of
 * them come out with everything that is known of them without a loss. Fails when anything is said that is not so.
 */
function lossOf(steps: readonly Step[]): { wanted: number; right: number } {
  const truth = new Map(parseAll(steps).map((one) => [place(one), one]));
  const carriers = carriersOf(steps);
  const sum = { wanted: 0, right: 0 };
  for (let seed = 1; seed <= 5; seed++) {
    const random = randomOf(seed);
    // The preface is there: otherwise it is another test.
    const lost = new Set(steps.flatMap((_, at) => (at > 10 && random() < 0.01 ? [at] : [])));
    const output = parseAll(steps.map((step, at) => (lost.has(at) ? asGap(step) : step)));
    for (const one of output) expectTrue(one, truth.get(place(one)));
    const found = new Map(output.map((one) => [place(one), one]));
    expect(found.size).toBe(output.length);
    const spoilt = new Set<string>();
    for (const [where, original] of truth) {
      if (!isDeepStrictEqual(found.get(where), original)) spoilt.add(String(original.key));
    }
    for (const [stream, steps] of carriers) {
      if (steps.some((step) => lost.has(step))) continue;
      sum.wanted++;
      if (!spoilt.has(String(stream))) sum.right++;
    }
  }
  process.stderr.write(`1 % lost: ${sum.right} of ${sum.wanted} exchanges right\n`);
  return sum;
}

/** For each stream the steps that have bytes of its HEADERS and DATA. */
function carriersOf(steps: readonly Step[]): Map<number, number[]> {
  const carriers = new Map<number, number[]>();
  for (const direction of [FROM_CLIENT, FROM_SERVER]) {
    const own = steps.flatMap((step, at) => (step.direction === direction ? [at] : []));
    const owner = own.flatMap((at) => Array<number>(steps[at]!.bytes.length).fill(at));
    const bytes = Buffer.concat(own.map((at) => steps[at]!.bytes));
    for (let at = direction === FROM_CLIENT ? PREFACE_LENGTH : 0; at + 9 <= bytes.length; ) {
      const end = at + 9 + bytes.readUIntBE(at, 3);
      const stream = bytes.readUInt32BE(at + 5);
      if (bytes[at + 3]! <= 1)
        carriers.set(stream, [...(carriers.get(stream) ?? []), ...new Set(owner.slice(at, end))]);
      at = end;
    }
  }
  return carriers;
}

/** Less may be known, but nothing else. */
function expectTrue(one: Output, original: Output | undefined): void {
  expect(original, `invented ${place(one)}`).toBeDefined();
  const { attributes, status, protocol, last } = one;
  expect(protocol, place(one)).toBe(original!.protocol);
  expect(original!.attributes, place(one)).toMatchObject(attributes);
  expect([0, original!.status], place(one)).toContain(status);
  if (one.type === 'request' || !one.flags.includes('partial')) expect(last, place(one)).toBe(original!.last);
}

/** Numbers from 0 to 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function asGap(step: Step): Step {
  return { ...step, kind: GAP, bytes: new Uint8Array(0), timestamp: 0 };
}

function parseAll(steps: readonly Step[], flags = 0): Output[] {
  return [...parse(http2!, steps, flags, { inputBytes: INPUT_BYTES, outputBytes: INPUT_BYTES })];
}

function split(output: readonly Output[]) {
  return {
    requests: output.filter(({ type }) => type === 'request'),
    responses: output.filter(({ type }) => type === 'response'),
  };
}

function place({ type, key, first }: Output): string {
  return `${type} ${key} @${first}`;
}
