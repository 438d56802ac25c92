/**
 * The Postgres parser against a real server: psql and pgbench talk through a tap that records both streams; what the
 * parser makes of them must agree, statement by statement, with what was asked and what these programs are known to
 * do. Skipped, with the reason, where there is no server.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { Harness, type Output, parse } from '../../host/modules/trial/harness.ts';
import { type Step, splitEvery } from '../../host/modules/trial/steps.ts';
import { DATA, FROM_CLIENT, FROM_SERVER, GAP, IDENTIFY_SCORE_MIN } from '../../parsers/sdk/abi.ts';
import { PostgresServer, postgresMissing, runPostgresProgram } from '../support/postgres-server.ts';
import { extended, message, RawConnection, startUp } from '../support/postgres-wire.ts';
import { openTap, recorder } from '../support/tap.ts';
import { sayUnavailable } from '../support/unavailable.ts';

const postgres = (await loadParsers()).find(({ name }) => name === 'postgres');
const reason = postgres ? postgresMissing() : 'the Postgres parser is not selected';
if (reason) sayUnavailable('Postgres against a real server', reason);

/** Larger reads than this come in pieces. */
const INPUT_BYTES = 256 * 1024;

describe.skipIf(reason !== '')('Postgres against a real server', { timeout: 60_000 }, () => {
  let server: PostgresServer;
  let serverPort: number;

  beforeAll(async () => {
    server = await PostgresServer.start();
    serverPort = server.port;
  }, 60_000);

  afterAll(() => server?.[Symbol.dispose]());

  async function record(program: string, parameters: string[], input = ''): Promise<Step[][]> {
    const tap = await openTap(serverPort);
    await runPostgresProgram(program, tap.port, parameters, input);
    await tap.close();
    return tap.connections;
  }

  test('psql: statements, rows, errors, COPY both ways', async () => {
    const script = [
      'CREATE TABLE t (a int primary key, b text);',
      "INSERT INTO t VALUES (1, 'one'), (2, 'two');",
      'SELECT * FROM t ORDER BY a;',
      'SELECT * FROM nosuch;',
      'SELECT 1/0;',
      'COPY t FROM STDIN;\n3\tthree\n4\tfour\n\\.',
      'COPY t TO STDOUT;',
      'UPDATE t SET b = upper(b) WHERE a > 2;',
      'SELECT generate_series(1, 5000);',
      'SELECT 1 \\; SELECT 2 \\; SELECT 3;',
      'DELETE FROM t;',
    ];
    const { requests, responses } = parseAll(await record('psql', ['-X', '-q', '-d', 'postgres'], script.join('\n')));
    const seen = requests.map(({ attributes }, index) => {
      const answer = responses[index]?.attributes ?? {};
      const rows = answer['db.response.returned_rows'] ?? answer['postgresql.affected_rows'];
      return [attributes['db.query.summary'], answer['db.response.status_code'] ?? rows];
    });
    expect(seen).toEqual([
      ['CREATE TABLE t', undefined],
      ['INSERT t', 2],
      ['SELECT t', 2],
      ['SELECT nosuch', '42P01'],
      ['SELECT', '22012'],
      ['COPY t', 2],
      ['COPY t', 4],
      ['UPDATE t', 2],
      ['SELECT', 5000],
      ['SELECT', 3],
      ['DELETE t', 4],
    ]);
    expect(responses).toHaveLength(requests.length);
    expect(new Set(requests.map(({ attributes }) => attributes['db.namespace']))).toEqual(new Set(['postgres']));
  });

  test.each(['simple', 'extended', 'prepared'])('pgbench -M %s: every statement of every transaction', async (mode) => {
    await runPostgresProgram('pgbench', serverPort, ['-i', '-q', 'postgres']);
    const connections = await record('pgbench', ['-n', '-M', mode, '-c', '4', '-t', '100', 'postgres']);
    const { requests, responses } = parseAll(connections);
    const counted = counts(requests, 'db.query.summary');
    for (const name of [
      'UPDATE pgbench_accounts',
      'SELECT pgbench_accounts',
      'INSERT pgbench_history',
      'BEGIN',
      'END',
    ]) {
      expect([name, counted[name]]).toEqual([name, 400]);
    }
    expect(responses).toHaveLength(requests.length);
    expect(requests.filter(({ flags }) => flags.includes('partial'))).toEqual([]);
  });

  test('psql: a pipeline whose second statement fails', async () => {
    const text = 'SELECT 1; SELECT 1/0; SELECT 3;';
    const steps = await pipeline(serverPort, text.split('; '));
    const { requests, responses } = parseAll([steps]);
    expect(requests).toHaveLength(4);
    expect(responses.map(({ attributes }) => attributes['error.type'])).toEqual([
      undefined,
      '22012',
      'pipeline_aborted',
      undefined,
    ]);
  });

  test('one read in a hundred lost: at least 95 % of the rest is found, and nothing else', async () => {
    const connections = await record('pgbench', ['-n', '-M', 'prepared', '-c', '4', '-t', '200', 'postgres']);
    let [seen, wanted] = [0, 0];
    for (const [index, steps] of connections.entries()) {
      const lossy = loseEvery(steps, 100, index * 37);
      const truth = new Map(parseOne(steps).map((message) => [placeOf(message), message]));
      const found = parseOne(lossy).filter(({ type }) => type === 'request' || type === 'response');
      for (const message of found.filter(({ flags }) => !flags.includes('partial'))) {
        expect(truth.get(placeOf(message))).toMatchObject({ last: message.last, attributes: message.attributes });
      }
      const whole = [...truth.values()].filter(({ type, first, last }) => {
        return (type === 'request' || type === 'response') && isCaptured(lossy, first, last);
      });
      const places = new Set(found.map(placeOf));
      wanted += whole.length;
      seen += whole.filter((message) => places.has(placeOf(message))).length;
    }
    expect(wanted).toBeGreaterThan(8000);
    expect(seen / wanted).toBeGreaterThanOrEqual(0.95);
  });
});

// ── the tap ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** Sends all statements in one batch before one Sync, and one more in a batch of its own. */
async function pipeline(port: number, statements: readonly string[]): Promise<Step[]> {
  const steps: Step[] = [];
  using connection = new RawConnection(port);
  connection.socket.on('data', recorder(steps, FROM_SERVER));
  const send = (bytes: Buffer) => {
    recorder(steps, FROM_CLIENT)(bytes);
    connection.send(bytes);
  };
  send(startUp('app', 'postgres'));
  await connection.ready(1);
  const batches = [statements, ['SELECT 4']].map((batch) => [...batch.flatMap(extended), message('S', '')]);
  send(Buffer.concat(batches.flat()));
  await connection.ready(3);
  return steps;
}

// ── what the parser says ──────────────────────────────────────────────────────────────────────────────────────────

function parseAll(connections: readonly Step[][]): Record<'requests' | 'responses', Output[]> {
  const harness = new Harness(postgres!, { inputBytes: INPUT_BYTES });
  const output = connections
    .filter((steps) => steps.length > 0)
    .flatMap((steps) => {
      expect(harness.identify(steps.slice(0, 2))).toBeGreaterThanOrEqual(IDENTIFY_SCORE_MIN);
      const connection = harness.open();
      harness.feed(connection, splitEvery(steps, INPUT_BYTES / 8));
      return harness.output(connection);
    });
  const types = new Set(['request', 'response', 'define', 'undefine']);
  expect(output.filter(({ type }) => !types.has(type))).toEqual([]);
  return {
    requests: output.filter(({ type }) => type === 'request'),
    responses: output.filter(({ type }) => type === 'response'),
  };
}

const placeOf = ({ type, first }: Output) => `${type}@${first}`;

function parseOne(steps: readonly Step[]): Output[] {
  return parse(postgres!, splitEvery(steps, INPUT_BYTES / 8), 0, { inputBytes: INPUT_BYTES });
}

/** Every n-th step as a gap, from `start` on; the timestamps tell which. */
function loseEvery(steps: readonly Step[], n: number, start: number): Step[] {
  return steps.map((step, index) => {
    return (index + start) % n === n - 1 ? { ...step, kind: GAP, bytes: Buffer.alloc(0) } : step;
  });
}

function isCaptured(steps: readonly Step[], first: number, last: number): boolean {
  return steps.slice(first - 1, last).every(({ kind }) => kind === DATA);
}

function counts(messages: readonly Output[], attribute: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { attributes } of messages) {
    const name = String(attributes[attribute]);
    sums[name] = (sums[name] ?? 0) + 1;
  }
  return sums;
}
