/**
 * The Redis parser against a real server: redis-benchmark and redis-cli talk through a tap that records both streams;
 * what the parser makes of them must agree, command by command, with what the server itself has counted
 * (INFO commandstats, errorstats). Skipped, with the reason, where redis is not installed.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { Harness, type Output, parse } from '../../host/modules/trial/harness.ts';
import { type Step, splitEvery } from '../../host/modules/trial/steps.ts';
import { DATA, GAP, IDENTIFY_SCORE_MIN } from '../../parsers/sdk/abi.ts';
import { openTap, type Tap } from '../support/tap.ts';
import { sayUnavailable } from '../support/unavailable.ts';

const redis = (await loadParsers()).find(({ name }) => name === 'redis');
const missing = ['redis-server', 'redis-cli', 'redis-benchmark'].filter((one) => spawnSync(one, ['--version']).error);
const reason = redis ? missing.map((one) => `${one} is not installed`).join(', ') : 'the redis parser is not selected';
if (reason) sayUnavailable('redis against a real server', reason);

/** Larger reads than this come in pieces. */
const INPUT_BYTES = 256 * 1024;

describe.skipIf(reason !== '')('redis against a real server', { timeout: 60_000 }, () => {
  let folder: string;
  let server: ChildProcess;
  let serverPort: number;
  let tap: Tap;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'spanwire-redis-'));
    serverPort = await freePort();
    const options = ['--port', String(serverPort), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    server = spawn('redis-server', [...options, '--dir', folder], { stdio: 'ignore' });
    await untilListening(serverPort);
  });

  afterAll(() => {
    server?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  async function record(program: string, parameters: string[], input = ''): Promise<void> {
    tap = await openTap(serverPort);
    await cli(serverPort, ['CONFIG', 'RESETSTAT']);
    const child = promisify(execFile)(program, ['-p', String(tap.port), ...parameters]);
    child.child.stdin?.end(input);
    await child;
    await tap.close();
  }

  test('redis-benchmark, 16 deep: every command, and a reply for each', async () => {
    await record('redis-benchmark', ['-q', '-c', '10', '-n', '2000', '-P', '16']);
    const { requests, responses } = parseAll(tap.connections);
    expect(counts(requests, 'db.operation.name')).toEqual(await commandStats(serverPort));
    expect(requests.length).toBeGreaterThan(30_000);
    expect(responses).toHaveLength(requests.length);
  });

  test('one read in a hundred lost: at least 95 % of the rest is found, and nothing else', async () => {
    await record('redis-benchmark', ['-q', '-c', '5', '-n', '400', '-t', 'set,get,lpush,lrange_100,mset']);
    let [seen, wanted] = [0, 0];
    for (const [index, steps] of tap.connections.entries()) {
      const lossy = loseEvery(steps, 100, index * 37);
      const truth = new Map(parseOne(steps).map((message) => [placeOf(message), message]));
      const found = parseOne(lossy).filter(({ type, flags }) => type !== 'desync' && !flags.includes('partial'));
      for (const message of found) expect(truth.get(placeOf(message))).toMatchObject({ last: message.last });
      const whole = [...truth.values()].filter(({ first, last }) => isCaptured(lossy, first, last));
      const places = new Set(found.map(placeOf));
      wanted += whole.length;
      seen += whole.filter((message) => places.has(placeOf(message))).length;
    }
    expect(wanted).toBeGreaterThan(4000);
    expect(seen / wanted).toBeGreaterThanOrEqual(0.95);
  });

  test('redis-cli: errors by their names, containers by their subcommands', async () => {
    const script = [
      'SET s text',
      'LPUSH s x',
      'INCR s',
      'CLIENT SETNAME web',
      'OBJECT ENCODING s',
      'nosuch',
      'EVAL broken 0',
    ];
    await record('redis-cli', [], [...script, 'MULTI', 'INCR n', 'EXEC', 'SELECT 3', 'GET s'].join('\n'));
    const { requests, responses } = parseAll(tap.connections);
    const known = requests.filter(({ attributes }) => attributes['db.operation.name'] !== 'NOSUCH');
    expect(counts(known, 'db.operation.name')).toEqual(await commandStats(serverPort));
    expect(counts(responses, 'error.type')).toEqual(await errorStats(serverPort));
    expect(responses).toHaveLength(requests.length);
    expect(responses.at(-1)?.attributes['db.namespace']).toBe('3');
  });

  test('redis-cli -3: RESP3, with invalidations pushed in between', async () => {
    const script = [
      'HGETALL h',
      'SMEMBERS s',
      'HSET h a 1',
      'HGETALL h',
      'ZADD z 1.5 m',
      'ZSCORE z m',
      'CLIENT TRACKING ON',
    ];
    await record('redis-cli', ['-3'], [...script, 'GET k', 'SET k v', 'GET k'].join('\n'));
    const { requests, responses, pushes } = parseAll(tap.connections);
    expect(counts(requests, 'db.operation.name')).toEqual(await commandStats(serverPort));
    expect(responses).toHaveLength(requests.length);
    expect(responses.at(-1)?.attributes['network.protocol.version']).toBe('3');
    expect(pushes).toHaveLength(1);
  });

  test('subscriptions, CLIENT REPLY and MONITOR: only what answers a request is a response', async () => {
    tap = await openTap(serverPort);
    const socket = connect(tap.port, '127.0.0.1');
    await say(socket, 'SUBSCRIBE a b\r\n', ':2\r\n');
    await cli(serverPort, ['PUBLISH', 'a', 'one']);
    await say(socket, 'PING\r\nUNSUBSCRIBE\r\n', ':0\r\n');
    await say(
      socket,
      'CLIENT REPLY OFF\r\nSET k v\r\nCLIENT REPLY ON\r\nCLIENT REPLY SKIP\r\nGET k\r\nGET k\r\n',
      'v\r\n',
    );
    await say(socket, 'MONITOR\r\n', '+OK\r\n');
    await cli(serverPort, ['GET', 'monitored']);
    await say(socket, 'RESET\r\n', '+RESET\r\n');
    socket.destroy();
    await tap.close();
    const { requests, responses, pushes } = parseAll(tap.connections);
    const answered = requests.filter(({ flags }) => !flags.includes('no-response'));
    expect(requests).toHaveLength(11);
    expect(answered).toHaveLength(7);
    expect(responses).toHaveLength(7);
    // Second subscription, message, second unsubscription; MONITOR's lines: HELLO or COMMAND of redis-cli, if any, and GET.
    expect(pushes.length).toBeGreaterThanOrEqual(4);
  });
});

// ── the tap ───────────────────────────────────────────────────────────────────────────────────────────────────────

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`redis-server does not listen on ${port}`);
}

/** Sends, and waits until the server has said what ends with `expected`. */
async function say(socket: Socket, text: string, expected: string): Promise<void> {
  const answered = new Promise<void>((resolve, reject) => {
    let answer = '';
    const listen = (bytes: Buffer) => {
      answer += bytes.toString('latin1');
      if (!answer.endsWith(expected)) return;
      socket.off('data', listen);
      resolve();
    };
    socket.on('data', listen).once('error', reject);
  });
  socket.write(text);
  await answered;
}

// ── what the parser says, and what the server says ────────────────────────────────────────────────────────────────

function parseAll(connections: readonly Step[][]): Record<'requests' | 'responses' | 'pushes', Output[]> {
  const harness = new Harness(redis!, { inputBytes: INPUT_BYTES });
  const output = connections
    .filter((steps) => steps.length > 0)
    .flatMap((steps) => {
      expect(harness.identify(steps.slice(0, 2))).toBeGreaterThanOrEqual(IDENTIFY_SCORE_MIN);
      const connection = harness.open();
      harness.feed(connection, splitEvery(steps, INPUT_BYTES / 8));
      return harness.output(connection);
    });
  expect(output.filter(({ type }) => type !== 'request' && type !== 'response')).toEqual([]);
  return {
    requests: output.filter(({ type }) => type === 'request'),
    responses: output.filter(({ type, flags }) => type === 'response' && !flags.includes('push')),
    pushes: output.filter(({ flags }) => flags.includes('push')),
  };
}

const placeOf = ({ type, first }: Output) => `${type}@${first}`;

function parseOne(steps: readonly Step[]): Output[] {
  return parse(redis!, splitEvery(steps, INPUT_BYTES / 8), 0, { inputBytes: INPUT_BYTES });
}

/** Every n-th step as a gap, from `start` on; the timestamps tell which. */
function loseEvery(steps: readonly Step[], n: number, start: number): Step[] {
  return steps.map((step, index) => {
    return (index + start) % n === n - 1 ? { ...step, kind: GAP, bytes: new Uint8Array(0) } : step;
  });
}

function isCaptured(steps: readonly Step[], first: number, last: number): boolean {
  return steps.slice(first - 1, last).every(({ kind }) => kind === DATA);
}

function counts(messages: readonly Output[], attribute: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { attributes } of messages) {
    const name = attributes[attribute];
    if (name !== undefined) sums[String(name)] = (sums[String(name)] ?? 0) + 1;
  }
  return sums;
}

async function cli(port: number, parameters: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('redis-cli', ['-p', String(port), ...parameters]);
  return stdout;
}

/** Calls of each command, named as the parser names them; this test's own RESETSTAT and INFO are not among them. */
async function commandStats(port: number): Promise<Record<string, number>> {
  const text = await cli(port, ['INFO', 'commandstats']);
  const stats: Record<string, number> = {};
  for (const [, name, calls, rejected] of text.matchAll(/^cmdstat_(\S+?):calls=(\d+),.*rejected_calls=(\d+)/gm)) {
    stats[name!.replace('|', ' ').toUpperCase()] = Number(calls) + Number(rejected);
  }
  if (stats['CONFIG RESETSTAT'] === 1) delete stats['CONFIG RESETSTAT'];
  return stats;
}

async function errorStats(port: number): Promise<Record<string, number>> {
  const text = await cli(port, ['INFO', 'errorstats']);
  return Object.fromEntries(
    [...text.matchAll(/^errorstat_(\S+?):count=(\d+)/gm)].map(([, name, n]) => [name, Number(n)]),
  );
}
