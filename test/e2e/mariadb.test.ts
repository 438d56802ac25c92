/** MariaDB through real eBPF: every statement of mariadb-slap and of the client is one server span. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MariadbServer, mariadbMissing, runMariadbProgram } from '../support/mariadb-server.ts';
import { sayUnavailable } from '../support/unavailable.ts';
import { accountingErrors } from './support/accounting.ts';
import { type Span, startAgent, stopAgent } from './support/agent.ts';
import { describeLive } from './support/live.ts';

const CLIENTS = 4;
const QUERIES = 800;

const reason = mariadbMissing();
if (reason) sayUnavailable('MariaDB through eBPF', reason);

await describeLive('MariaDB', () => {
  let server: MariadbServer;

  beforeAll(async () => {
    if (reason) return;
    server = await MariadbServer.start();
    const script = 'CREATE DATABASE shop; CREATE TABLE shop.orders (id INT); INSERT INTO shop.orders VALUES (1), (2)';
    await runMariadbProgram('mariadb', server.port, ['-e', script]);
  }, 60_000);

  afterAll(() => server?.[Symbol.asyncDispose]());

  async function watch(work: () => Promise<unknown>) {
    const spans: Span[] = [];
    const agent = await startAgent(['--open-port', String(server.port), '--printer', 'json'], (span) =>
      spans.push(span),
    );
    await work();
    const counters = await stopAgent(agent);
    expect(counters.kernel.bytes_lost).toBe(0);
    expect(accountingErrors(counters)).toEqual([]);
    return spans.filter(({ kind, protocol }) => kind === 'server' && protocol === 'mysql');
  }

  test.skipIf(reason !== '')('mariadb-slap: a span for each query', async () => {
    const query = "SELECT id FROM shop.orders WHERE id < 100 AND 'secret' <> ''";
    const load = [`--concurrency=${CLIENTS}`, `--number-of-queries=${QUERIES}`, '--create-schema=shop', '--no-drop'];
    const spans = await watch(() => runMariadbProgram('mariadb-slap', server.port, [...load, `--query=${query}`]));
    const selects = spans.filter(({ name }) => name === 'SELECT shop.orders');
    expect(selects).toHaveLength(QUERIES);
    expect(new Set(selects.map(({ attributes }) => attributes['db.query.text']))).toEqual(
      new Set(['SELECT id FROM shop.orders WHERE id < ? AND ? <> ?']),
    );
    expect(new Set(selects.map(({ attributes }) => attributes['db.response.returned_rows']))).toEqual(new Set([2]));
  });

  test.skipIf(reason !== '')('the client: affected rows, and an error with its number', async () => {
    const script = 'UPDATE orders SET id = id + 1;\nSELECT nothing FROM nowhere;\n';
    const spans = await watch(() =>
      runMariadbProgram('mariadb', server.port, ['--force', '--skip-auto-rehash', 'shop'], script),
    );
    expect(spans.find(({ name }) => name === 'UPDATE orders')).toMatchObject({
      status: 'unset',
      attributes: { 'db.system.name': 'mariadb', 'db.namespace': 'shop' },
    });
    expect(spans.find(({ name }) => name === 'SELECT nowhere')).toMatchObject({
      status: 'error',
      attributes: { 'db.response.status_code': '1146' },
    });
  });
});
