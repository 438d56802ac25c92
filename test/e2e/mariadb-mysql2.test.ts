/**
 * MariaDB through real eBPF, with node's `mysql2`: each command is one span on either side, in the order in which they
 * were answered, with its text without literals, its table and database, what it returned and changed, and an error with
 * number and SQLSTATE.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import mysql, { type Connection, type ConnectionOptions } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MariadbServer, mariadbMissing, runMariadbProgram } from '../support/mariadb-server.ts';
import { sayUnavailable } from '../support/unavailable.ts';
import { describeLive } from './support/live.ts';
import { command, ofMysqlSpan } from './support/mysql-commands.ts';
import { statement } from './support/statements.ts';
import { type Watched, watch } from './support/watch.ts';

const LOGIN = command('LOGIN', 'LOGIN');
const QUIT = command('QUIT', 'QUIT', { namespace: undefined });

const reason = mariadbMissing();
if (reason) sayUnavailable('mysql2 through eBPF', reason);

await describeLive('MariaDB with mysql2', () => {
  let server: MariadbServer;

  beforeAll(async () => {
    if (reason) return;
    server = await MariadbServer.start();
    const script = `
      CREATE DATABASE shop; CREATE DATABASE stock;
      CREATE TABLE shop.orders (id INT PRIMARY KEY, note TEXT); CREATE TABLE stock.parts (id INT);
      CREATE USER clerk IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO clerk;
      CREATE USER keeper IDENTIFIED BY 'other'; GRANT ALL ON *.* TO keeper;
      DELIMITER //
      CREATE PROCEDURE shop.report() BEGIN SELECT 1; SELECT id FROM orders; UPDATE orders SET note = 'seen'; END//`;
    await runMariadbProgram('mariadb', server.port, [], script);
  }, 60_000);

  afterAll(() => server?.[Symbol.asyncDispose]());

  /** What the work does on a connection of its own. */
  function talk(work: (connection: Connection) => Promise<unknown>, options: ConnectionOptions = {}): Promise<Watched> {
    const where = { host: '127.0.0.1', port: server.port, user: 'clerk', password: 'secret', database: 'shop' };
    const all = async () => {
      const connection = await mysql.createConnection({ ...where, ...options });
      await work(connection);
      // The server has read QUIT when it hangs up.
      const { stream } = (connection as unknown as { connection: { stream: Socket } }).connection;
      await Promise.all([once(stream, 'close'), connection.end()]);
    };
    return watch(server.port, all, { protocol: 'mysql', pids: [process.pid] });
  }

  /** Both sides saw this, in this order. */
  function expectSpans({ client, server: atServer }: Watched, expected: readonly string[]): void {
    expect(atServer.map(ofMysqlSpan)).toEqual(expected);
    expect(client.map(ofMysqlSpan)).toEqual(expected);
  }

  const query = (...parts: Parameters<typeof statement>) => `QUERY: ${statement(...parts)}`;
  const prepare = (collection: string, text: string, outcome = '') =>
    `STMT_PREPARE: ${statement('PREPARE', text, outcome, { collection })}`;
  const execute = (...parts: Parameters<typeof statement>) => `STMT_EXECUTE: ${statement(...parts)}`;

  test.skipIf(reason !== '')('text: rows, changes, errors, transactions', async () => {
    const seen = await talk(async (db) => {
      await db.query("INSERT INTO orders VALUES (1, 'a secret'), (2, 'it''s')");
      await db.query("SELECT note FROM orders WHERE id < 10 AND note <> 'secret' ORDER BY 1");
      await db.query('UPDATE orders SET note = ? WHERE id = ?', ["o'clock", 2]);
      await expect(db.query('SELECT nothing FROM nowhere')).rejects.toMatchObject({ errno: 1146, sqlState: '42S02' });
      await expect(db.query('SELEKT 1')).rejects.toMatchObject({ errno: 1064, sqlState: '42000' });
      await expect(db.query("INSERT INTO orders VALUES (1, '')")).rejects.toMatchObject({ errno: 1062 });
      await db.beginTransaction();
      await db.query('DELETE FROM orders WHERE id = 1');
      await db.rollback();
      await db.beginTransaction();
      await db.query('DELETE FROM orders');
      await db.commit();
      await db.ping();
      await db.query('SELECT id FROM orders');
    });
    const select = 'SELECT note FROM orders WHERE id < ? AND note <> ? ORDER BY ?';
    expectSpans(seen, [
      LOGIN,
      query('INSERT orders', 'INSERT INTO orders VALUES (?, ?), (?, ?)', '2 affected'),
      query('SELECT orders', select, '2 rows'),
      query('UPDATE orders', 'UPDATE orders SET note = ? WHERE id = ?', '1 affected'),
      query('SELECT nowhere', 'SELECT nothing FROM nowhere', '1146 42S02'),
      query('SELEKT', 'SELEKT ?', '1064 42000'),
      query('INSERT orders', 'INSERT INTO orders VALUES (?, ?)', '1062 23000'),
      query('START', 'START TRANSACTION', '0 affected'),
      query('DELETE orders', 'DELETE FROM orders WHERE id = ?', '1 affected'),
      query('ROLLBACK', 'ROLLBACK', '0 affected'),
      query('START', 'START TRANSACTION', '0 affected'),
      query('DELETE orders', 'DELETE FROM orders', '2 affected'),
      query('COMMIT', 'COMMIT', '0 affected'),
      command('PING', 'PING'),
      query('SELECT orders', 'SELECT id FROM orders', '0 rows'),
      QUIT,
    ]);
    expect(seen.server.every(({ attributes }) => attributes['db.system.name'] === 'mariadb')).toBe(true);
  });

  test.skipIf(reason !== '')('prepared: text by id, errors, closed', async () => {
    const insert = 'INSERT INTO orders VALUES (?, ?)';
    const select = 'SELECT id, note FROM orders WHERE id >= ?';
    const wrong = 'SELECT nothing FROM nowhere WHERE id = ?';
    const seen = await talk(async (db) => {
      for (const id of [11, 12, 13]) await db.execute(insert, [id, `note ${id}`]);
      await db.execute(select, [12]);
      await expect(db.execute(insert, [11, 'again'])).rejects.toMatchObject({ errno: 1062, sqlState: '23000' });
      await expect(db.execute(wrong, [1])).rejects.toMatchObject({ errno: 1146 });
      await db.execute(select, [13]);
      db.unprepare(insert);
      await db.execute('DELETE FROM orders');
    });
    expectSpans(seen, [
      LOGIN,
      prepare('orders', insert),
      ...Array.from({ length: 3 }, () => execute('INSERT orders', insert, '1 affected')),
      prepare('orders', select),
      execute('SELECT orders', select, '2 rows'),
      execute('INSERT orders', insert, '1062 23000'),
      prepare('nowhere', wrong, '1146 42S02'),
      execute('SELECT orders', select, '1 rows'),
      // mysql2 says it twice.
      command('STMT_CLOSE', 'STMT_CLOSE', { namespace: undefined }),
      command('STMT_CLOSE', 'STMT_CLOSE', { namespace: undefined }),
      prepare('orders', 'DELETE FROM orders'),
      execute('DELETE orders', 'DELETE FROM orders', '3 affected'),
      QUIT,
    ]);
  });

  test.skipIf(reason !== '')('LOCAL INFILE: a small file, a large one, none', async () => {
    const load = (file: string) => `LOAD DATA LOCAL INFILE '${file}' INTO TABLE orders`;
    const lines = Array.from({ length: 20_000 }, (_, index) => `${100 + index}\tnote ${index}\n`);
    const seen = await talk(async (db) => {
      const from = (file: string, ...pieces: string[]) =>
        db.query({ sql: load(file), infileStreamFactory: () => Readable.from(pieces.map(Buffer.from)) });
      await from('small.csv', '21\tone\n22\ttwo\n');
      await from('large.csv', ...lines);
      await expect(db.query(load('none.csv'))).rejects.toThrow();
      await db.query('DELETE FROM orders');
    });
    const text = 'LOAD DATA LOCAL INFILE ? INTO TABLE orders';
    expectSpans(seen, [
      LOGIN,
      query('LOAD orders', text, '2 affected'),
      query('LOAD orders', text, '20000 affected'),
      query('LOAD orders', text, '0 affected'),
      query('DELETE orders', 'DELETE FROM orders', '20002 affected'),
      QUIT,
    ]);
  });

  test.skipIf(reason !== '')('several results: statements in one, a procedure', async () => {
    const seen = await talk(
      async (db) => {
        await db.query("INSERT INTO orders VALUES (31, 'a'), (32, 'b')");
        await db.query('SELECT 1; UPDATE orders SET id = id + 1 ORDER BY id DESC; SELECT id FROM orders');
        await expect(db.query('SELECT 1; SELECT 1 FROM nowhere; SELECT 3')).rejects.toMatchObject({ errno: 1146 });
        await db.query('CALL report()');
        await db.query('DELETE FROM orders');
      },
      { multipleStatements: true },
    );
    const several = 'SELECT ?; UPDATE orders SET id = id + ? ORDER BY id DESC; SELECT id FROM orders';
    expectSpans(seen, [
      LOGIN,
      query('INSERT orders', 'INSERT INTO orders VALUES (?, ?), (?, ?)', '2 affected'),
      query('SELECT', several, '3 rows 2 affected'),
      query('SELECT', 'SELECT ?; SELECT ? FROM nowhere; SELECT ?', '1 rows 1146 42S02'),
      query('CALL report', 'CALL report()', '3 rows 2 affected', { operation: 'CALL', collection: undefined }),
      query('DELETE orders', 'DELETE FROM orders', '2 affected'),
      QUIT,
    ]);
  });

  test.skipIf(reason !== '')('the database: by USE, among several statements, by another user', async () => {
    const stock = { namespace: 'stock' };
    const seen = await talk(
      async (db) => {
        await db.query('USE stock');
        await db.query('SELECT id FROM parts');
        await db.query('SET @a = 1; USE shop');
        await db.query('SELECT id FROM orders');
        await expect(db.query('USE nowhere')).rejects.toMatchObject({ errno: 1049 });
        await db.changeUser({ user: 'keeper', password: 'other', database: 'stock' });
        await db.query('SELECT id FROM parts');
        await db.query('CREATE DATABASE gone; USE gone; DROP DATABASE gone');
        await db.ping();
      },
      { multipleStatements: true },
    );
    expectSpans(seen, [
      LOGIN,
      query('USE', 'USE stock', '0 affected', stock),
      query('SELECT parts', 'SELECT id FROM parts', '0 rows', stock),
      query('SET', 'SET @a = ?; USE shop', '0 affected'),
      query('SELECT orders', 'SELECT id FROM orders', '0 rows'),
      query('USE', 'USE nowhere', '1049 42000'),
      command('CHANGE_USER', 'CHANGE_USER', stock),
      query('SELECT parts', 'SELECT id FROM parts', '0 rows', stock),
      query('CREATE DATABASE gone', 'CREATE DATABASE gone; USE gone; DROP DATABASE gone', '1 affected', {
        operation: 'CREATE',
        collection: undefined,
        namespace: undefined,
      }),
      command('PING', 'PING', { namespace: undefined }),
      QUIT,
    ]);
  });

  test.skipIf(reason !== '')('many queries queued at once', async () => {
    const numbers = Array.from({ length: 100 }, (_, index) => index);
    const seen = await talk((db) =>
      Promise.all(numbers.map((n) => db.query(`SELECT ${n} AS t${n} FROM seq_1_to_${n + 1}`))),
    );
    const text = (n: number) => `SELECT ? AS t${n} FROM seq_1_to_${n + 1}`;
    const expected = numbers.map((n) => query(`SELECT seq_1_to_${n + 1}`, text(n), `${n + 1} rows`));
    expectSpans(seen, [LOGIN, ...expected, QUIT]);
  });

  test.skipIf(reason !== '')('a wrong password', async () => {
    const options = { host: '127.0.0.1', port: server.port, user: 'clerk', password: 'wrong' };
    const refused = () => expect(mysql.createConnection(options)).rejects.toMatchObject({ errno: 1045 });
    const seen = await watch(server.port, refused, { protocol: 'mysql', pids: [process.pid] });
    expectSpans(seen, [command('LOGIN', 'LOGIN', { namespace: undefined }, '1045 28000')]);
  });

  test.skipIf(reason !== '')('a compressed connection: its login says so, and it is given up', async () => {
    const seen = await talk((db) => db.query('SELECT id FROM orders'), { compress: true });
    expect(seen.server.map(ofMysqlSpan)).toEqual([LOGIN]);
    expect(seen.client.map(ofMysqlSpan)).toEqual([LOGIN]);
    for (const { attributes } of [...seen.server, ...seen.client]) expect(attributes['mysql.compression']).toBe('zlib');
    // Of what follows nothing is made up: two logins with their answers are all there is.
    expect(seen.counters.host.messages_in).toBe(4);
  });
});
