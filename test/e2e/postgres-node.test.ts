/**
 * PostgreSQL through real eBPF, with node's `pg`: each query is one span on either side, in the order in which the client
 * sent them: with and without parameters, prepared by name, many at once, in portions, and refused.
 */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PostgresServer, postgresMissing, runPostgresProgram } from '../support/postgres-server.ts';
import { sayUnavailable } from '../support/unavailable.ts';
import { describeLive } from './support/live.ts';
import { ofStatementSpan, statement } from './support/statements.ts';
import { watch } from './support/watch.ts';

const ROWS = 20;
const PIPELINED = 120;
const ROUNDS = 5;
const AFFECTED = 'postgresql.affected_rows';

const reason = postgresMissing();
if (reason) sayUnavailable('Postgres through eBPF, with pg', reason);

await describeLive('PostgreSQL with pg', () => {
  let server: PostgresServer;

  beforeAll(async () => {
    if (reason) return;
    server = await PostgresServer.start();
    const psql = (database: string, command: string) =>
      runPostgresProgram('psql', server.port, ['-X', '-q', '-d', database, '-c', command]);
    await psql('postgres', 'CREATE DATABASE shop');
    await psql('shop', `CREATE TABLE items AS SELECT i AS id, 'item ' || i AS name FROM generate_series(1, ${ROWS}) i`);
  }, 60_000);

  afterAll(() => server?.[Symbol.dispose]());

  /** Both sides see the same statements, in this order, of one connection. */
  async function expectStatements(
    expected: readonly string[],
    options: pg.ClientConfig,
    work: (client: pg.Client) => Promise<unknown>,
  ): Promise<void> {
    const converse = async () => {
      const client = new pg.Client({ host: '127.0.0.1', port: server.port, user: 'app', database: 'shop', ...options });
      await client.connect();
      await work(client);
      await client.end();
    };
    // What is sent without waiting may go out in one call, of which only the first 4 KiB are captured by default.
    const both = { pids: [process.pid], args: ['--attributes', AFFECTED, '--payload', '16KiB'] };
    const seen = await watch(server.port, converse, { protocol: 'postgres', ...both });
    for (const spans of [seen.server, seen.client]) {
      expect(spans.map((span) => ofStatementSpan(span, AFFECTED))).toEqual(expected);
    }
  }

  test.skipIf(reason !== '')('queries without and with parameters, by name, and refused', async () => {
    const parameters = 'SELECT name FROM items WHERE id > $1 AND name <> $2';
    const update = "UPDATE items SET name = $1 || 'x' WHERE id = $2";
    const expected = [
      statement('SELECT items', 'SELECT * FROM items WHERE id < ?', '4 rows'),
      statement('SELECT items', parameters, '10 rows'),
      statement('SELECT items', parameters, '0 rows'),
      statement('UPDATE items', 'UPDATE items SET name = $1 || ? WHERE id = $2', '1 affected'),
      statement('SELECT items', parameters, '20 rows'),
      statement('UPDATE items', 'UPDATE items SET name = $1 || ? WHERE id = $2', '0 affected'),
      statement('SELECT nowhere', 'SELECT * FROM nowhere WHERE id = $1', '42P01'),
      statement('SELEC', 'SELEC $1', '42601'),
      statement('SELECT', 'SELECT ?/$1::int', '22012'),
      statement('SELECT', 'SELECT $1::int', '22P02'),
      statement('SELECT', 'SELECT $1::int', '1 rows'),
      statement('postgresql', ' ', '', { operation: '' }),
      statement('INSERT items', 'INSERT INTO items (id) VALUES ($1) RETURNING id', '1 rows 1 affected'),
      statement('DELETE items', 'DELETE FROM items WHERE id > $1', '1 affected'),
    ];
    await expectStatements(expected, {}, async (client) => {
      await client.query('SELECT * FROM items WHERE id < 5');
      await client.query(parameters, [10, 'a secret']);
      await client.query({ name: 'by-name', text: parameters, values: [100, ''] });
      await client.query({ name: 'rename', text: update, values: ['a secret', 1] });
      await client.query({ name: 'by-name', text: parameters, values: [0, ''] });
      await client.query({ name: 'rename', text: update, values: ['a secret', 1000] });
      for (const [text, value] of [
        ['SELECT * FROM nowhere WHERE id = $1', 1],
        ['SELEC $1', 1],
        ['SELECT 1/$1::int', 0],
        ['SELECT $1::int', 'no number'],
      ] as const) {
        await expect(client.query(text, [value])).rejects.toThrow(pg.DatabaseError);
      }
      await client.query({ name: 'number', text: 'SELECT $1::int', values: [7] });
      await client.query('-- nothing');
      await client.query('INSERT INTO items (id) VALUES ($1) RETURNING id', [ROWS + 1]);
      await client.query({ text: 'DELETE FROM items WHERE id > $1', values: [ROWS] });
    });
  });

  test.skipIf(reason !== '')('hundreds of queries sent without waiting for answers', async () => {
    const kinds = [
      { sent: (n: number) => ({ text: `SELECT ${n}` }), seen: statement('SELECT', 'SELECT ?', '1 rows') },
      {
        sent: (n: number) => ({ text: 'SELECT name FROM items WHERE id <= $1', values: [n % ROWS] }),
        seen: (n: number) => statement('SELECT items', 'SELECT name FROM items WHERE id <= $1', `${n % ROWS} rows`),
      },
      {
        sent: (n: number) => ({ name: 'wait', text: 'SELECT pg_sleep($1)', values: [(n % 7) / 10_000] }),
        seen: statement('SELECT', 'SELECT pg_sleep($1)', '1 rows'),
      },
      {
        sent: (n: number) => ({ text: 'SELECT $1::int / 0', values: [n] }),
        seen: statement('SELECT', 'SELECT $1::int / ?', '22012'),
      },
    ];
    const kindOf = (n: number) => kinds[(n * 7 + (n >> 3)) % kinds.length]!;
    const numbers = Array.from({ length: ROUNDS * PIPELINED }, (_, n) => n);
    const expected = numbers.map((n) => {
      const { seen } = kindOf(n);
      return typeof seen === 'string' ? seen : seen(n);
    });
    await expectStatements(expected, { pipeline: true }, async (client) => {
      for (let from = 0; from < numbers.length; from += PIPELINED) {
        const round = numbers.slice(from, from + PIPELINED);
        const results = await Promise.allSettled(round.map((n) => client.query(kindOf(n).sent(n))));
        const failed = round.filter((_, index) => results[index]!.status === 'rejected');
        expect(failed).toEqual(round.filter((n) => kindOf(n) === kinds[3]));
      }
    });
  });

  test.skipIf(reason !== '')('a portal read in portions: a span for each', async () => {
    const portion = (rows: number) => statement('SELECT items', 'SELECT id FROM items WHERE id > $1', `${rows} rows`);
    await expectStatements([portion(8), portion(8), portion(4)], {}, async (client) => {
      // Of pg's own options this one is not in its types.
      const query = { text: 'SELECT id FROM items WHERE id > $1', values: [0], rows: 8 };
      expect((await client.query<{ id: number }>(query)).rows).toHaveLength(ROWS);
    });
  });
});
