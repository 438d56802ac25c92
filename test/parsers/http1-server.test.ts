/**
 * HTTP/1 against real servers, with reads lost at random: a client that knows what it did talks to nginx and to Node
 * through a tap; what the tap saw goes through the whole data path, first whole, then with one read in a hundred missing.
 * Of the requests that were wholly captured nearly all have their span, and no span differs from the one without loss.
 */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts, Program } from '../../examples/demo/programs.ts';
import type { RunningServer } from '../../examples/demo/servers.ts';
import { DIRECTION_IN, DIRECTION_OUT } from '../../host/kernel/layout.ts';
import type { Step } from '../../host/modules/trial/steps.ts';
import type { Span } from '../../host/spans/span.ts';
import type { ParserModule } from '../../host/wasm/admit.ts';
import { loadModules, shippedModuleFolder } from '../../host/wasm/load.ts';
import { FROM_CLIENT } from '../../parsers/sdk/abi.ts';
import { ofExchange, ofSpan, targetOf } from '../e2e/support/exchanges.ts';
import { type Exchange, exchangeAlone, HttpConnection } from '../e2e/support/http-client.ts';
import { differences } from '../e2e/support/multiset.ts';
import { pipelinedPlan, plan, startNginxSite, startNodeSite } from '../e2e/support/site.ts';
import { createRig, expectBalanced } from '../host/rig.ts';
import { Conversation } from '../host/scripted-source.ts';
import { openTap } from '../support/tap.ts';
import { sayUnavailable } from '../support/unavailable.ts';

const CONNECTIONS = 6;
const EACH = 200;
const ALONE = 40;
const PIPELINES = 28;
/** Prime to the number of kinds: pipelines that all end with a HEAD are not found again (parsers/http1/README.md). */
const PIPELINE_DEPTH = 7;
const LOSS = 0.01;
const SEEDS = [1, 2, 3, 4, 5];
/** What one record takes at most. */
const RECORD_BYTES = 128 * 1024;
/** A payload limit that cuts bodies, but no head. */
const PAYLOAD = 4096;

const hasNginx = (await new Program('nginx', 'nginx', ['-v']).exited).code === 0;
if (!hasNginx) sayUnavailable('HTTP/1 against nginx', 'nginx is not installed');

interface Recorded {
  readonly exchanges: readonly Exchange[];
  readonly connections: readonly (readonly Step[])[];
}

let modules: ParserModule[];
let node: Server;

beforeAll(async () => {
  modules = loadModules(shippedModuleFolder());
  node = await startNodeSite();
});

afterAll(() => {
  node?.closeAllConnections();
  node?.close();
});

describe('Node', () => suite(async () => (node.address() as AddressInfo).port));

describe.skipIf(!hasNginx)('nginx', () => {
  let nginx: RunningServer;
  afterAll(() => nginx?.[Symbol.asyncDispose]());
  suite(async () => {
    const [port] = (await freePorts(1)) as [number];
    nginx = await startNginxSite(port, (node.address() as AddressInfo).port);
    return port;
  });
});

function suite(portOf: () => Promise<number>): void {
  let recorded: Recorded;
  beforeAll(async () => {
    recorded = await record(await portOf());
  }, 60_000);

  test('whole: every request has its span, and every span its request', () => {
    expect(recorded.exchanges.length).toBe(CONNECTIONS * EACH + ALONE + PIPELINES * PIPELINE_DEPTH);
    const spans = spansOf(recorded.connections, () => false);
    expect(
      differences(
        recorded.exchanges.map(ofExchange),
        spans.map((span) => ofSpan(span)),
      ),
    ).toEqual([]);
  });

  test.each([
    ['captured whole', RECORD_BYTES],
    ['captured up to the payload limit', PAYLOAD],
  ])('one read in a hundred lost, the others %s', (_, payload) => {
    const truth = spansOf(recorded.connections, () => false, payload);
    const shares = SEEDS.map((seed) => {
      const random = generator(seed);
      const lost = recorded.connections.map((steps) => steps.map(() => random() < LOSS));
      const spans = spansOf(recorded.connections, (c, step) => lost[c]![step]!, payload);
      return foundOf(truth, spans, lost);
    });
    const sum = (of: 'found' | 'wanted') => shares.reduce((total, one) => total + one[of], 0);
    expect(sum('wanted')).toBeGreaterThan(0.8 * truth.length * SEEDS.length);
    expect(sum('found') / sum('wanted')).toBeGreaterThanOrEqual(0.95);
  });
}

// ── what the client does ──────────────────────────────────────────────────────────────────────────────────────────

/** Connections that stay, one request after the other; connections of one request; pipelines. */
async function record(port: number): Promise<Recorded> {
  const tap = await openTap(port);
  const exchanges: Exchange[] = [];
  const lane = async (first: number) => {
    using connection = await HttpConnection.open(tap.port);
    for (let n = 0; n < EACH; n++) exchanges.push(await connection.exchange(plan(first + n, 'kept')));
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, lane_) => lane(lane_ * EACH)));
  for (let n = 0; n < ALONE; n++) exchanges.push(await exchangeAlone(tap.port, plan(n, 'alone')));
  using connection = await HttpConnection.open(tap.port);
  for (let first = 0; first < PIPELINES * PIPELINE_DEPTH; first += PIPELINE_DEPTH) {
    const plans = Array.from({ length: PIPELINE_DEPTH }, (_, i) => pipelinedPlan(first + i));
    exchanges.push(...(await connection.pipeline(plans)));
  }
  connection[Symbol.dispose]();
  await tap.close();
  return { exchanges, connections: tap.connections };
}

// ── what the data path makes of it ────────────────────────────────────────────────────────────────────────────────

/** A connection's number is its client's port, a step's number its time: so a span tells which steps it came from. */
const FIRST_PORT = 20_000;
const STEP_NS = 100_000;

function spansOf(
  connections: Recorded['connections'],
  isLost: (connection: number, step: number) => boolean,
  payload = RECORD_BYTES,
): Span[] {
  const rig = createRig(modules);
  for (const [slot, steps] of connections.entries()) {
    const talk = new Conversation(rig.source, slot, { remotePort: FIRST_PORT + slot });
    for (const [index, { direction, bytes }] of steps.entries()) {
      const towards = direction === FROM_CLIENT ? DIRECTION_IN : DIRECTION_OUT;
      const time = (index + 1) * STEP_NS;
      talk.move(towards, bytes.subarray(0, payload), time, isLost(slot, index), bytes.length);
    }
    talk.close((steps.length + 1) * STEP_NS);
    rig.run();
  }
  const spans = rig.finish();
  expectBalanced(rig);
  expect(rig.failures).toEqual([]);
  return spans;
}

/** How many of the wholly captured have their span. A span that is not as without loss fails the test. */
function foundOf(truth: readonly Span[], spans: readonly Span[], lost: readonly (readonly boolean[])[]) {
  const byTarget = new Map(truth.map((span) => [targetOf(span), span]));
  const found = new Set<string>();
  for (const span of spans) {
    const target = targetOf(span);
    expect(found.has(target), `${target} has two spans`).toBe(false);
    found.add(target);
    expectSame(span, byTarget.get(target));
  }
  const whole = truth.filter((span) => isCaptured(span, lost));
  return { wanted: whole.length, found: whole.filter((span) => found.has(targetOf(span))).length };
}

/** A partial span may say less than the one without loss, and nothing else. */
function expectSame(span: Span, original: Span | undefined): void {
  const { 'spanwire.partial': isPartial, ...said } = span.attributes;
  const { 'spanwire.partial': wasPartial, ...known } = original?.attributes ?? {};
  if (isPartial === wasPartial) expect(said).toEqual(known);
  else expect(known).toMatchObject(said);
  const { name, kind, status, startTimeUnixNano, endTimeUnixNano } = span;
  expect(original).toMatchObject({ name, kind, status, startTimeUnixNano, endTimeUnixNano });
}

/** Whether no step between the first and the last of the exchange is lost. */
function isCaptured(span: Span, lost: readonly (readonly boolean[])[]): boolean {
  const steps = lost[Number(span.attributes['client.port']) - FIRST_PORT]!;
  const first = Number(span.startTimeUnixNano) / STEP_NS - 1;
  const last = Number(span.endTimeUnixNano) / STEP_NS - 1;
  return !steps.slice(first, last + 1).includes(true);
}

/** The same numbers from 0 to 1 for the same seed. https://en.wikipedia.org/wiki/Xorshift */
function generator(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}
