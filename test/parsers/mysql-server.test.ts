/**
 * The MySQL parser against a real MariaDB: its client talks through a tap that records both streams; what the parser
 * makes of them must agree with what was asked and answered. Skipped, with the reason, where MariaDB is not installed.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { Harness, type Output, parse } from '../../host/modules/trial/harness.ts';
import { type Step, splitEvery } from '../../host/modules/trial/steps.ts';
import { DATA, GAP, OPEN_MID_STREAM } from '../../parsers/sdk/abi.ts';
import { MariadbServer, mariadbMissing, runMariadbProgram } from '../support/mariadb-server.ts';
import { openTap } from '../support/tap.ts';
import { sayUnavailable } from '../support/unavailable.ts';

const mysql = (await loadParsers()).find(({ name }) => name === 'mysql');
const reason = mysql ? mariadbMissing() : 'the mysql parser is not selected';
if (reason) sayUnavailable('mysql against a real server', reason);

/** Larger reads than this come in pieces. */
const INPUT_BYTES = 256 * 1024;
/** The reason of a DESYNC. */
const COMPRESSED = 3;

describe.skipIf(reason !== '')('mysql against a real MariaDB', { timeout: 60_000 }, () => {
  let server: MariadbServer;
  let folder: string;
  let port: number;

  beforeAll(async () => {
    server = await MariadbServer.start();
    ({ folder, port } = server);
    await runMariadbProgram('mariadb', port, [
      '-e',
      'CREATE DATABASE shop; CREATE DATABASE stock; CREATE TABLE shop.orders (id INT, note LONGTEXT)',
    ]);
  }, 60_000);

  afterAll(() => server?.[Symbol.asyncDispose]());

  async function record(parameters: string[], input = '', program = 'mariadb'): Promise<Step[][]> {
    const tap = await openTap(port);
    await runMariadbProgram(program, tap.port, parameters, input).finally(tap.close);
    return tap.connections.filter((steps) => steps.length > 0);
  }

  test('statements, errors, USE: each with its answer', async () => {
    const script = [
      "INSERT INTO orders VALUES (1, 'one'), (2, 'two')",
      'SELECT id FROM orders',
      'SELECT nothing FROM nowhere',
      'UPDATE orders SET id = id + 1',
      'USE stock',
      'SELECT 1 WHERE 0',
    ];
    const [steps] = await record(['--force', '--skip-auto-rehash', 'shop'], `${script.join(';\n')};\n`);
    const pairs = pairsOf(steps!).filter(
      ([request]) => !request.attributes['db.query.text']?.toString().includes('@@'),
    );
    expect(pairs.map(summaryOf)).toEqual([
      'LOGIN → shop',
      'INSERT orders → shop, 2 affected',
      'SELECT orders → shop, 2 rows',
      'SELECT nowhere → shop, 1146 42S02',
      'UPDATE orders → shop, 2 affected',
      // The client asks which database it is in, and then for another.
      'SELECT → shop, 1 rows',
      'INIT_DB → stock',
      'SELECT → stock, 0 rows',
    ]);
    expect(pairs.every(([{ attributes }]) => attributes['db.system.name'] === 'mariadb')).toBe(true);
  });

  test('several results, a local file, a cursor of the server, prepared by SQL', async () => {
    writeFileSync(join(folder, 'a.csv'), '7\tseven\n8\teight\n');
    const script = [
      'DELIMITER //',
      'CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; INSERT INTO orders VALUES (9, NULL); END//',
      'CALL p()//',
      `LOAD DATA LOCAL INFILE '${folder}/a.csv' INTO TABLE orders//`,
      "PREPARE s FROM 'SELECT id FROM orders WHERE id = ?'//",
      'SET @a = 9//',
      'EXECUTE s USING @a//',
    ];
    const [steps] = await record(['--local-infile=1', '--skip-auto-rehash', 'shop'], `${script.join('\n')}\n`);
    const said = pairsOf(steps!).map(summaryOf);
    expect(said).toContain('CALL p → shop, 2 rows, 1 affected');
    expect(said).toContain('LOAD orders → shop, 2 affected');
    expect(said.at(-1)).toBe('EXECUTE → shop, 1 rows');
  });

  test('a query and a row of more than 16 MiB', async () => {
    const script = `SELECT 'begin';\nINSERT INTO orders VALUES (99, '${'x'.repeat(17_000_000)}');\n`;
    const query = 'SELECT note FROM orders WHERE id = 99; SELECT 3;\n';
    const [steps] = await record(['--max-allowed-packet=64M', '--skip-auto-rehash', 'shop'], script + query);
    const said = pairsOf(steps!).map(summaryOf);
    expect(said.slice(-3)).toEqual([
      'INSERT orders → shop, 1 affected',
      'SELECT orders → shop, 1 rows',
      'SELECT → shop, 1 rows',
    ]);
  });

  test('a wrong password, and a compressed connection', async () => {
    const refused = openTap(port);
    const tap = await refused;
    await runMariadbProgram('mariadb', tap.port, ['-uother', '-pwrong', '-e', 'SELECT 1']).catch(() => undefined);
    await tap.close();
    expect(pairsOf(tap.connections[0]!).map(summaryOf)).toEqual(['LOGIN → 1045 28000']);
    const [compressed] = await record(['--compress', 'shop', '-e', 'SELECT 1']);
    const ends = outputOf(compressed!).slice(-2);
    expect(ends).toMatchObject([{ type: 'desync', status: COMPRESSED }, { type: 'give-up' }]);
    expect(pairsOf(compressed!).map(([request]) => request.attributes['mysql.compression'])).toEqual(['zlib']);
  });

  test('one read in a hundred lost, or joined midway: nothing is invented, and most is found', async () => {
    const load = ['--concurrency=4', '--iterations=1', '--number-of-queries=4000', '--auto-generate-sql'];
    const connections = await record([...load, '--no-drop', '--auto-generate-sql-load-type=mixed'], '', 'mariadb-slap');
    let [seen, wanted] = [0, 0];
    for (const [index, steps] of connections.entries()) {
      const truth = new Map(outputOf(steps).map((message) => [placeOf(message), message]));
      const lossy = loseEvery(steps, 100, index * 37);
      const found = outputOf(lossy).filter(isWholeMessage);
      for (const message of found)
        expect(truth.get(placeOf(message))).toMatchObject({ last: message.last, ...attributesOf(message) });
      const whole = [...truth.values()].filter((one) => isWholeMessage(one) && isCaptured(lossy, one.first, one.last));
      const places = new Set(found.map(placeOf));
      wanted += whole.length;
      seen += whole.filter((message) => places.has(placeOf(message))).length;
      const later = outputOf(steps.slice(steps.length >> 1), OPEN_MID_STREAM).filter(isWholeMessage);
      for (const message of later) expect(truth.get(placeOf(message))).toMatchObject({ last: message.last });
    }
    expect(wanted).toBeGreaterThan(4000);
    expect(seen / wanted).toBeGreaterThanOrEqual(0.95);
  });
});

// ── the server and its tap ────────────────────────────────────────────────────────────────────────────────────────

// ── what the parser says ──────────────────────────────────────────────────────────────────────────────────────────

function outputOf(steps: readonly Step[], flags = 0): readonly Output[] {
  return parse(mysql!, splitEvery(steps, INPUT_BYTES / 8), flags, { inputBytes: INPUT_BYTES });
}

/** The k-th request that is answered, and the k-th response. */
function pairsOf(steps: readonly Step[]): [Output, Output][] {
  expect(new Harness(mysql!).identify(steps.slice(0, 2))).toBe(100);
  const output = outputOf(steps);
  expect(output.filter(({ type, status }) => type === 'desync' && status !== COMPRESSED)).toEqual([]);
  const requests = output.filter(({ type, flags }) => type === 'request' && !flags.includes('no-response'));
  const responses = output.filter(({ type }) => type === 'response');
  expect(responses).toHaveLength(requests.length);
  return requests.map((request, index) => [request, responses[index]!]);
}

function summaryOf([request, { attributes }]: [Output, Output]): string {
  const { 'db.namespace': database, 'db.response.returned_rows': rows } = attributes;
  const { 'mysql.response.affected_rows': affected, 'db.response.status_code': code } = attributes;
  const counts = [rows !== undefined && `${rows} rows`, affected !== undefined && `${affected} affected`];
  const error = code !== undefined && `${code} ${attributes['mysql.response.sqlstate']}`;
  return `${request.attributes['db.query.summary']} → ${[database, ...counts, error].filter(Boolean).join(', ')}`;
}

const placeOf = ({ type, first }: Output) => `${type}@${first}`;

function isWholeMessage({ type, flags }: Output): boolean {
  return (type === 'request' || type === 'response') && !flags.includes('partial');
}

/** All but the database, which a loss makes forget. */
function attributesOf({ attributes }: Output): { attributes?: object } {
  const { 'db.namespace': _, ...others } = attributes;
  return Object.keys(others).length === 0 ? {} : { attributes: others };
}

/** Every n-th step as a gap, from `start` on; the timestamps tell which. The handshake stays. */
function loseEvery(steps: readonly Step[], n: number, start: number): Step[] {
  return steps.map((step, index) => {
    return index > 4 && (index + start) % n === n - 1 ? { ...step, kind: GAP, bytes: new Uint8Array(0) } : step;
  });
}

function isCaptured(steps: readonly Step[], first: number, last: number): boolean {
  return steps.slice(first - 1, last).every(({ kind }) => kind === DATA);
}
