/**
 * PostgreSQL through real eBPF: every statement that pgbench and psql send is one server span, in each of pgbench's
 * modes (simple, extended, prepared), with its table, and an error with its SQLSTATE.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PostgresServer, postgresMissing, runPostgresProgram } from '../support/postgres-server.ts';
import { sayUnavailable } from '../support/unavailable.ts';
import { accountingErrors } from './support/accounting.ts';
import { type Span, startAgent, stopAgent } from './support/agent.ts';
import { describeLive } from './support/live.ts';

const CLIENTS = 4;
const TRANSACTIONS = 100;
/** What a transaction of pgbench's standard script sends. */
const STATEMENTS = [
  'BEGIN',
  'END',
  'INSERT pgbench_history',
  'SELECT pgbench_accounts',
  'UPDATE pgbench_accounts',
  'UPDATE pgbench_branches',
  'UPDATE pgbench_tellers',
];

const reason = postgresMissing();
if (reason) sayUnavailable('Postgres through eBPF', reason);

await describeLive('PostgreSQL', () => {
  let server: PostgresServer;

  beforeAll(async () => {
    if (reason) return;
    server = await PostgresServer.start();
    await runPostgresProgram('pgbench', server.port, ['-i', '-q', '-s', '1', 'postgres']);
  }, 60_000);

  afterAll(() => server?.[Symbol.dispose]());

  test.skipIf(reason !== '').each(['simple', 'extended', 'prepared'])(
    'pgbench, %s: a span for each statement',
    async (mode) => {
      const spans: Span[] = [];
      const agent = await startAgent(['--open-port', String(server.port), '--printer', 'json'], (span) =>
        spans.push(span),
      );
      const load = ['-c', String(CLIENTS), '-t', String(TRANSACTIONS), '-n', '-M', mode, 'postgres'];
      await runPostgresProgram('pgbench', server.port, load);
      const counters = await stopAgent(agent);
      const counts = Map.groupBy(
        spans.filter(({ kind, protocol }) => kind === 'server' && protocol === 'postgres'),
        ({ name }) => name,
      );
      const ofScript = STATEMENTS.map((name) => [name, counts.get(name)?.length]);
      expect(ofScript).toEqual(STATEMENTS.map((name) => [name, CLIENTS * TRANSACTIONS]));
      expect(counters.kernel.bytes_lost).toBe(0);
      expect(accountingErrors(counters)).toEqual([]);
    },
  );

  test.skipIf(reason !== '')('psql: rows, text without literals, and an error', async () => {
    const spans: Span[] = [];
    const agent = await startAgent(['--open-port', String(server.port), '--printer', 'json'], (span) =>
      spans.push(span),
    );
    const script = "SELECT aid FROM pgbench_accounts WHERE aid < 10 AND filler <> 'secret';\nSELECT 1/0;\n";
    await runPostgresProgram('psql', server.port, ['-X', '-q', '-d', 'postgres'], script);
    await stopAgent(agent);
    const [select, failed] = spans.filter(({ kind }) => kind === 'server');
    expect(select).toMatchObject({ name: 'SELECT pgbench_accounts', status: 'unset' });
    expect(select!.attributes).toMatchObject({
      'db.system.name': 'postgresql',
      'db.namespace': 'postgres',
      'db.query.text': 'SELECT aid FROM pgbench_accounts WHERE aid < ? AND filler <> ?;',
      'db.response.returned_rows': 9,
    });
    expect(failed).toMatchObject({ status: 'error', attributes: { 'db.response.status_code': '22012' } });
  });
});
