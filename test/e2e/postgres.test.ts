/**
 * PostgreSQL through real eBPF, with pgbench and psql: every statement is one span on either side, with its text without
 * literals, its tables, its rows, and an error with its SQLSTATE. What node's `pg` does is in postgres-node.test.ts.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  PostgresServer,
  postgresMissing,
  runPostgresProgram,
  startPostgresProgram,
} from '../support/postgres-server.ts';
import { extended, GSS_REQUEST, message, RawConnection, SSL_REQUEST, startUp } from '../support/postgres-wire.ts';
import { sayUnavailable } from '../support/unavailable.ts';
import type { Span } from './support/agent.ts';
import { describeLive } from './support/live.ts';
import { countDifferences, counted } from './support/multiset.ts';
import { ofStatementSpan, statement } from './support/statements.ts';
import { type Watched, watch } from './support/watch.ts';

const CLIENTS = 4;
const TRANSACTIONS = 100;
const AFFECTED = 'postgresql.affected_rows';

const reason = postgresMissing();
if (reason) sayUnavailable('Postgres through eBPF', reason);

const line = (span: Span) => ofStatementSpan(span, AFFECTED);

await describeLive('PostgreSQL', () => {
  let server: PostgresServer;

  beforeAll(async () => {
    if (reason) return;
    server = await PostgresServer.start();
    await runPostgresProgram('psql', server.port, ['-X', '-q', '-d', 'postgres', '-c', 'CREATE DATABASE shop']);
    await runPostgresProgram('pgbench', server.port, ['-i', '-q', '-s', '1', 'shop']);
  }, 60_000);

  afterAll(() => server?.[Symbol.dispose]());

  /** Both sides: the server, and what this process starts. */
  function bothSides(work: () => Promise<unknown>): Promise<Watched> {
    return watch(server.port, work, { protocol: 'postgres', pids: [process.pid], args: ['--attributes', AFFECTED] });
  }

  const psql = (script: string, ...more: string[]) =>
    runPostgresProgram('psql', server.port, ['-X', '-q', '-d', 'shop', ...more], script);

  /** Both sides saw these statements, in this order. */
  function expectStatements({ client, server: atServer }: Watched, expected: readonly string[]): void {
    expect(atServer.map(line)).toEqual(expected);
    expect(client.map(line)).toEqual(expected);
  }

  test.skipIf(reason !== '').each(['simple', 'extended', 'prepared'])(
    'pgbench, %s: a span for each statement, on either side',
    async (mode) => {
      const load = ['-c', String(CLIENTS), '-t', String(TRANSACTIONS), '-n', '-M', mode, 'shop'];
      const seen = await bothSides(() => runPostgresProgram('pgbench', server.port, load));
      const expected = new Map(ofScript(mode).map((one) => [one, CLIENTS * TRANSACTIONS]));
      // pgbench looks at its tables first; the catalogue's names are its own affair.
      for (const spans of [seen.server, seen.client]) {
        const ours = spans.filter(({ attributes }) => !String(attributes['db.query.text']).includes('pg_catalog'));
        const counts = counted(ours.map((span) => line(span).replace('+ -?', '+ ?').replace(', -?', ', ?')));
        const preparing = statement('SELECT pgbench_branches', 'select count(*) from pgbench_branches', '1 rows');
        expect(countDifferences(new Map([...expected, [preparing, 1]]), counts)).toEqual([]);
        expect(spans.length - ours.length).toBe(1);
      }
    },
  );

  test.skipIf(reason !== '')('psql: statements, several in one, errors', async () => {
    const script = [
      'CREATE TABLE orders (id int PRIMARY KEY, note text);',
      "INSERT INTO orders VALUES (1, 'a secret'), (2, 'it''s'), (3, $tag$a $1 secret$tag$);",
      "SELECT note FROM orders WHERE id < 10 AND note <> 'secret' -- by hand\n ORDER BY 1;",
      'SELECT * FROM nowhere;',
      'SELECT 1/0;',
      "INSERT INTO orders VALUES (1, 'again');",
      'BEGIN;',
      'UPDATE orders SET id = id + 10 WHERE id > 1;',
      'SELECT o.id FROM orders o JOIN pgbench_branches b ON b.bid = o.id;',
      'ROLLBACK;',
      'SELECT 1 \\; UPDATE orders SET note = upper(note) \\; SELECT id FROM orders;',
      'SELECT 1 \\; SELECT 1/0 \\; SELECT 3;',
      'WITH gone AS (DELETE FROM orders WHERE id = 3 RETURNING id) SELECT * FROM gone;',
      'INSERT INTO orders SELECT bid + 100, NULL FROM pgbench_branches;',
      'PREPARE one (int) AS SELECT note FROM orders WHERE id = $1;',
      'EXECUTE one(1);',
      'DEALLOCATE one;',
    ];
    const seen = await bothSides(() => psql(script.join('\n')));
    const select = 'SELECT note FROM orders WHERE id < ? AND note <> ?  \n ORDER BY ?;';
    expectStatements(seen, [
      statement('CREATE TABLE orders', 'CREATE TABLE orders (id int PRIMARY KEY, note text);', '', {
        collection: 'orders',
      }),
      statement('INSERT orders', 'INSERT INTO orders VALUES (?, ?), (?, ?), (?, ?);', '3 affected'),
      statement('SELECT orders', select, '3 rows'),
      statement('SELECT nowhere', 'SELECT * FROM nowhere;', '42P01'),
      statement('SELECT', 'SELECT ?/?;', '22012'),
      statement('INSERT orders', 'INSERT INTO orders VALUES (?, ?);', '23505'),
      statement('BEGIN', 'BEGIN;', ''),
      statement('UPDATE orders', 'UPDATE orders SET id = id + ? WHERE id > ?;', '2 affected'),
      statement(
        'SELECT orders pgbench_branches',
        'SELECT o.id FROM orders o JOIN pgbench_branches b ON b.bid = o.id;',
        '1 rows',
      ),
      statement('ROLLBACK', 'ROLLBACK;', ''),
      statement(
        'SELECT',
        'SELECT ? ; UPDATE orders SET note = upper(note) ; SELECT id FROM orders;',
        '4 rows 3 affected',
      ),
      statement('SELECT', 'SELECT ? ; SELECT ?/? ; SELECT ?;', '1 rows 22012'),
      statement(
        'DELETE orders SELECT',
        'WITH gone AS (DELETE FROM orders WHERE id = ? RETURNING id) SELECT * FROM gone;',
        '1 rows',
        { operation: 'SELECT', collection: 'orders' },
      ),
      statement(
        'INSERT orders SELECT pgbench_branches',
        'INSERT INTO orders SELECT bid + ?, NULL FROM pgbench_branches;',
        '1 affected',
      ),
      statement('PREPARE SELECT orders', 'PREPARE one (int) AS SELECT note FROM orders WHERE id = $1;', '', {
        collection: 'orders',
      }),
      statement('EXECUTE', 'EXECUTE one(?);', '1 rows'),
      statement('DEALLOCATE', 'DEALLOCATE one;', ''),
    ]);
  });

  test.skipIf(reason !== '')('psql: COPY both ways, notices, NOTIFY', async () => {
    const script = [
      'CREATE TABLE copied (a int, b text);',
      'COPY copied FROM STDIN;\n1\tone\n2\ttwo\n3\tSELECT 1/0;\n\\.',
      'COPY copied TO STDOUT;',
      'COPY (SELECT a FROM copied WHERE a > 1) TO STDOUT WITH (FORMAT csv);',
      'COPY copied FROM STDIN;\nnot a number\tthree\n\\.',
      "DO $$ BEGIN RAISE NOTICE 'a secret'; RAISE WARNING 'and another'; END $$;",
      'LISTEN channel;',
      "NOTIFY channel, 'a secret';",
      'DROP TABLE IF EXISTS nowhere;',
      'SELECT count(*) FROM copied;',
    ];
    let said = '';
    const seen = await bothSides(async () => {
      said = await psql(script.join('\n'));
    });
    // The notification did come.
    expect(said).toContain('Asynchronous notification "channel" with payload "a secret"');
    expectStatements(seen, [
      statement('CREATE TABLE copied', 'CREATE TABLE copied (a int, b text);', '', { collection: 'copied' }),
      statement('COPY copied', 'COPY copied FROM STDIN;', '3 affected'),
      statement('COPY copied', 'COPY copied TO STDOUT;', '3 affected'),
      statement(
        'COPY SELECT copied',
        'COPY (SELECT a FROM copied WHERE a > ?) TO STDOUT WITH (FORMAT csv);',
        '2 affected',
        {
          collection: 'copied',
        },
      ),
      statement('COPY copied', 'COPY copied FROM STDIN;', '22P02'),
      statement('DO', 'DO ?;', ''),
      statement('LISTEN', 'LISTEN channel;', ''),
      statement('NOTIFY', 'NOTIFY channel, ?;', ''),
      statement('DROP TABLE nowhere', 'DROP TABLE IF EXISTS nowhere;', '', { collection: 'nowhere' }),
      statement('SELECT copied', 'SELECT count(*) FROM copied;', '1 rows'),
    ]);
  });

  test.skipIf(reason !== '')('psql: a statement is cancelled', async () => {
    const seen = await bothSides(async () => {
      const sleeping = startPostgresProgram('psql', server.port, ['-X', '-d', 'shop', '-c', 'SELECT pg_sleep(600)']);
      await untilSleeping();
      sleeping.kill('SIGINT');
      await new Promise((resolve) => sleeping.once('exit', resolve));
    });
    const expected = [
      statement('CANCEL', '', '', { namespace: '' }),
      statement('SELECT', 'SELECT pg_sleep(?)', '57014'),
    ];
    for (const spans of [seen.server, seen.client]) {
      expect(spans.filter(isNotPolling).map(line).sort()).toEqual(expected);
    }
  });

  async function untilSleeping(): Promise<void> {
    const query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
      if ((await psql(`${query};\n`, '-A', '-t')).trim() === '1') return;
    }
    throw new Error('psql does not sleep');
  }

  test.skipIf(reason !== '')('requests for encryption, a function call, portals, a wrong database', async () => {
    const seen = await bothSides(async () => {
      using encrypted = new RawConnection(server.port);
      encrypted.send(GSS_REQUEST);
      // Debian's server can encrypt so, and then nobody can read on; others say no.
      await encrypted.received((text) => text === 'G' || text === 'N');
      using connection = new RawConnection(server.port);
      connection.send(SSL_REQUEST);
      await connection.received((text) => text === 'N');
      connection.send(startUp('app', 'shop'));
      await connection.ready(1);
      // The function pg_catalog.now() by its number, no arguments, and its result as text.
      connection.send(message('F', '\0\0\x05\x13\0\0\0\0\0\0'));
      await connection.ready(2);
      connection.send(message('F', '\0\0\0\x01\0\0\0\0\0\0'));
      await connection.ready(3);
      const [parse] = extended('SELECT generate_series(1, 5)');
      const execute = message('E', 'p\0\0\0\0\x02');
      const [bind, close] = [message('B', 'p\0\0\0\0\0\0\0\0'), message('C', 'Pp\0')];
      connection.send(parse!, bind, execute, execute, execute, close, message('S', ''));
      await connection.ready(4);
      using refused = new RawConnection(server.port);
      refused.send(startUp('app', 'nowhere'));
      await refused.received((text) => text.includes('3D000'));
    });
    const series = (rows: number) => statement('SELECT', 'SELECT generate_series(?, ?)', `${rows} rows`);
    const call = (outcome: string) =>
      statement('FUNCTION CALL', '', outcome, { operation: 'FUNCTION CALL', collection: '' });
    expectStatements(seen, [
      call(''),
      call('42883'),
      series(2),
      series(2),
      series(1),
      statement('postgresql', '', '3D000', { operation: '', namespace: 'nowhere' }),
    ]);
  });
});

/** What a transaction of pgbench's standard script sends. */
function ofScript(mode: string): string[] {
  const value = (number: number) => (mode === 'simple' ? '?' : `$${number}`);
  const [one, two] = [value(1), value(2)];
  const history = [one, two, value(3), value(4), 'CURRENT_TIMESTAMP'].join(', ');
  const into = `INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (${history});`;
  const update = (table: string, column: string, key: string) =>
    statement(
      `UPDATE ${table}`,
      `UPDATE ${table} SET ${column} = ${column} + ${one} WHERE ${key} = ${two};`,
      '1 affected',
    );
  return [
    statement('BEGIN', 'BEGIN;', ''),
    update('pgbench_accounts', 'abalance', 'aid'),
    statement('SELECT pgbench_accounts', `SELECT abalance FROM pgbench_accounts WHERE aid = ${one};`, '1 rows'),
    update('pgbench_tellers', 'tbalance', 'tid'),
    update('pgbench_branches', 'bbalance', 'bid'),
    statement('INSERT pgbench_history', into, '1 affected'),
    statement('END', 'END;', ''),
  ];
}

function isNotPolling({ attributes }: Span): boolean {
  return !String(attributes['db.query.text']).includes('pg_stat_activity');
}
