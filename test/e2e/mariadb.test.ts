/**
 * MariaDB through real eBPF, with its own programs: every statement of mariadb-slap and of the client is one span on
 * either side, with its text without literals, its table and database, rows, affected rows, and errors.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MariadbServer, mariadbMissing, runMariadbProgram } from '../support/mariadb-server.ts';
import { sayUnavailable } from '../support/unavailable.ts';
import { describeLive } from './support/live.ts';
import { countDifferences, counted } from './support/multiset.ts';
import { command, ofMysqlSpan } from './support/mysql-commands.ts';
import { statement } from './support/statements.ts';
import { type Watched, watch } from './support/watch.ts';

const CLIENTS = 4;
const QUERIES = 800;

const reason = mariadbMissing();
if (reason) sayUnavailable('MariaDB through eBPF', reason);

await describeLive('MariaDB', () => {
  let server: MariadbServer;

  beforeAll(async () => {
    if (reason) return;
    server = await MariadbServer.start();
    const script = `
      CREATE DATABASE shop; USE shop; CREATE TABLE orders (id INT); INSERT INTO orders VALUES (1), (2);
      DELIMITER //
      CREATE PROCEDURE two() BEGIN SELECT 1; DELETE FROM orders WHERE id > 6; END//`;
    await runMariadbProgram('mariadb', server.port, [], script);
  }, 60_000);

  afterAll(() => server?.[Symbol.asyncDispose]());

  /** Both sides: the server, and what this process starts. */
  const bothSides = (work: () => Promise<unknown>) =>
    watch(server.port, work, { protocol: 'mysql', pids: [process.pid] });

  /** Without what the client asks for itself when it begins, and without its end. */
  const linesOf = (spans: Watched['server']) =>
    spans.map(ofMysqlSpan).filter((line) => !line.includes('@@version_comment') && !line.startsWith('QUIT'));

  test.skipIf(reason !== '')('mariadb-slap: a span for each query, on either side', async () => {
    const query = 'SELECT id FROM shop.orders WHERE id < 100 AND \'secret\' <> "quoted"';
    const load = [`--concurrency=${CLIENTS}`, `--number-of-queries=${QUERIES}`, '--create-schema=shop', '--no-drop'];
    const seen = await bothSides(() => runMariadbProgram('mariadb-slap', server.port, [...load, `--query=${query}`]));
    const text = 'SELECT id FROM shop.orders WHERE id < ? AND ? <> ?';
    const expected = new Map([[`QUERY: ${statement('SELECT shop.orders', text, '2 rows')}`, QUERIES]]);
    for (const spans of [seen.server, seen.client]) {
      const selects = spans.filter(({ name }) => name === 'SELECT shop.orders');
      expect(countDifferences(expected, counted(selects.map(ofMysqlSpan)))).toEqual([]);
    }
  });

  test.skipIf(reason !== '')('the client: rows, changes, errors, a file, a procedure, another database', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'spanwire-infile-'));
    const file = join(folder, 'orders.csv');
    writeFileSync(file, '7\n8\n9\n');
    const script = [
      'UPDATE orders SET id = id + 1',
      'SELECT nothing FROM nowhere',
      `LOAD DATA LOCAL INFILE '${file}' INTO TABLE orders`,
      "SELECT o.id FROM orders o JOIN shop.orders p ON o.id = p.id WHERE o.id > 6 AND 'a secret' = 'a secret'",
      'CALL two()',
      "PREPARE one FROM 'SELECT id FROM orders'",
      'EXECUTE one',
      'USE information_schema',
      'SELECT 1 FROM dual WHERE 0',
    ];
    const options = ['--force', '--skip-auto-rehash', '--local-infile=1', 'shop'];
    const input = `DELIMITER //\n${script.join('//\n')}//\n`;
    const seen = await bothSides(() => runMariadbProgram('mariadb', server.port, options, input));
    rmSync(folder, { recursive: true });
    const join2 = 'SELECT o.id FROM orders o JOIN shop.orders p ON o.id = p.id WHERE o.id > ? AND ? = ?';
    const expected = [
      command('LOGIN', 'LOGIN'),
      `QUERY: ${statement('UPDATE orders', 'UPDATE orders SET id = id + ?', '2 affected')}`,
      `QUERY: ${statement('SELECT nowhere', 'SELECT nothing FROM nowhere', '1146 42S02')}`,
      `QUERY: ${statement('LOAD orders', 'LOAD DATA LOCAL INFILE ? INTO TABLE orders', '3 affected')}`,
      `QUERY: ${statement('SELECT orders shop.orders', join2, '3 rows')}`,
      `QUERY: ${statement('CALL two', 'CALL two()', '1 rows 3 affected', { collection: undefined })}`,
      `QUERY: ${statement('PREPARE', 'PREPARE one FROM ?', '0 affected')}`,
      `QUERY: ${statement('EXECUTE', 'EXECUTE one', '2 rows')}`,
      // The client asks which database it is in before it asks for another.
      `QUERY: ${statement('SELECT', 'SELECT DATABASE()', '1 rows')}`,
      command('INIT_DB', 'INIT_DB', { namespace: 'information_schema' }),
      `QUERY: ${statement('SELECT', 'SELECT ? FROM dual WHERE ?', '0 rows', { namespace: 'information_schema' })}`,
    ];
    expect(linesOf(seen.server)).toEqual(expected);
    expect(linesOf(seen.client)).toEqual(expected);
    for (const { attributes } of seen.server) expect(attributes['db.system.name']).toBe('mariadb');
  });
});
