/**
 * What the corpora hold little of, recorded here from real servers and clients: the spans of the recording agree with
 * tshark, exchange by exchange.
 */
import { once } from 'node:events';
import { connect } from 'node:http2';
import { Client, credentials } from '@grpc/grpc-js';
import { createConnection } from 'mysql2/promise';
import { afterAll, describe, expect, it } from 'vitest';
import { Folder } from '../../examples/demo/programs.ts';
import { startGrpcServer } from '../support/grpc-server.ts';
import { callAllKinds, send, startHttp2Server } from '../support/http2-servers.ts';
import { MariadbServer, mariadbMissing, runMariadbProgram } from '../support/mariadb-server.ts';
import { PostgresServer, postgresMissing, runPostgresProgram } from '../support/postgres-server.ts';
import { sayUnavailable } from '../support/unavailable.ts';
import { differences, RECORDED } from './differences.ts';
import { compare } from './oracles/compare.ts';
import type { Oracle } from './oracles/exchange.ts';
import { HTTP2 } from './oracles/http2.ts';
import { readBoth } from './oracles/index.ts';
import { MYSQL } from './oracles/mysql.ts';
import { POSTGRES } from './oracles/postgres.ts';
import { record, recordingMissing } from './recording.ts';
import { hasTshark } from './tshark.ts';

/** Servers, dumpcap, tshark and Spanwire start, on a machine that may be busy. */
const TIMEOUT_MS = 180_000;

interface Recording {
  readonly name: string;
  readonly oracle: Oracle;
  /** Why there can be none here; empty where there can. */
  readonly missing: string;
  /** Exchanges that both sides must have, at least. */
  readonly least: number;
  /** Starts a server, has clients talk to it, and returns the capture. */
  readonly make: (folder: Folder) => Promise<{ path: string; port: number }>;
}

const RECORDINGS: readonly Recording[] = [
  { name: 'node:http2', oracle: HTTP2, missing: '', least: 200, make: recordHttp2 },
  { name: 'grpc-js', oracle: HTTP2, missing: '', least: 7, make: recordGrpc },
  { name: 'PostgreSQL', oracle: POSTGRES, missing: postgresMissing(), least: 300, make: recordPostgres },
  { name: 'MariaDB', oracle: MYSQL, missing: mariadbMissing(), least: 100, make: recordMariadb },
];

const reason = recordingMissing();
if (reason) sayUnavailable('spans of recorded traffic', reason);
const folder = new Folder();
afterAll(() => folder[Symbol.dispose]());

describe.skipIf(!hasTshark || reason !== '')('spans of recorded traffic agree with tshark', () => {
  for (const { name, oracle, missing, least, make } of RECORDINGS) {
    if (missing) sayUnavailable(`spans of recorded traffic of ${name}`, missing);
    it.skipIf(missing !== '')(
      name,
      async () => {
        const { path, port } = await make(folder);
        const { ours, theirs } = await readBoth(path, [{ ...oracle, ports: [port] }]);
        const found = compare(ours, theirs, oracle.isKeyed).map((line) => line.replace(/^\S+ /, ''));
        expect(found).toEqual(differences(RECORDED + name));
        expect(theirs.length).toBeGreaterThanOrEqual(least);
      },
      TIMEOUT_MS,
    );
  }
});

async function recordHttp2() {
  const server = await startHttp2Server();
  const path = await record(folder, server.port, async () => {
    const session = connect(`http://127.0.0.1:${server.port}`);
    const asked = Array.from({ length: 200 }, (_, i) =>
      send(session, `/item/${i}?n=${i}`, i % 20 === 0 ? 40_000 : i % 50),
    );
    await Promise.all(asked);
    const stream = session.request({ ':path': '/cancelled', ':method': 'POST' }, { endStream: false });
    await new Promise((resolve) => stream.write('half', resolve));
    const closed = once(stream, 'close');
    stream.close(8);
    await closed;
    await send(session, '/last', 0);
    session.close();
    await once(session, 'close');
  });
  server.stop();
  return { path, port: server.port };
}

async function recordGrpc() {
  const server = await startGrpcServer();
  const path = await record(folder, server.port, async () => {
    const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
    expect(await callAllKinds(client)).toEqual([0, 7, 4]);
    client.close();
  });
  server.stop();
  return { path, port: server.port };
}

const POSTGRES_SCRIPT = [
  'CREATE TABLE t (a int primary key, b text);',
  "INSERT INTO t VALUES (1, 'one'), (2, 'it''s');",
  "SELECT * FROM t WHERE b <> 'zwei' ORDER BY a;",
  'SELECT * FROM nosuch;',
  'SELECT 1/0;',
  'COPY t FROM STDIN;\n3\tthree\n4\tfour\n\\.',
  'COPY t TO STDOUT;',
  'UPDATE t SET b = upper(b) WHERE a > 2;',
  'SELECT generate_series(1, 5000);',
  'SELECT 1 \\; SELECT 2 \\; SELECT 3;',
  'SELECT 1 \\; SELECT nosuch;',
  'BEGIN;\nDECLARE c CURSOR FOR SELECT * FROM t;\nFETCH 2 FROM c;\nCOMMIT;',
  'CREATE TABLE u AS SELECT * FROM t;',
  ';',
  'DELETE FROM t;',
];

async function recordPostgres() {
  using server = await PostgresServer.start();
  const { port } = server;
  const path = await record(folder, port, async () => {
    await runPostgresProgram('psql', port, ['-X', '-q', '-d', 'postgres'], POSTGRES_SCRIPT.join('\n'));
    await runPostgresProgram('pgbench', port, ['-i', '-s', '1', 'postgres']);
    for (const mode of ['simple', 'extended', 'prepared'])
      await runPostgresProgram('pgbench', port, ['-n', '-t', '10', '-c', '2', '-M', mode, 'postgres']);
    await runPostgresProgram('psql', port, ['-d', 'nowhere'], '').catch(() => undefined);
  });
  return { path, port };
}

const MARIADB_SCRIPT = [
  'CREATE DATABASE d;',
  'USE d;',
  'CREATE TABLE t (a int primary key, b text);',
  `INSERT INTO t VALUES (1, 'one'), (2, "it's");`,
  'SELECT * FROM t WHERE b <> "zwei" ORDER BY a;',
  'SELECT * FROM nosuch;',
  'SELECT 1; SELECT 2;',
  "PREPARE p FROM 'SELECT a FROM t WHERE a > ?';",
  'SET @x = 1;',
  'EXECUTE p USING @x;',
  "UPDATE t SET b = 'x' WHERE a > 0;",
  'DELETE FROM t;',
];

async function recordMariadb() {
  await using server = await MariadbServer.start();
  const { port } = server;
  const path = await record(folder, port, async () => {
    await runMariadbProgram('mariadb', port, ['--force', '--skip-ssl'], MARIADB_SCRIPT.join('\n')).catch(
      () => undefined,
    );
    const load = ['--auto-generate-sql', '--number-of-queries=100', '--concurrency=2', '--skip-ssl'];
    await runMariadbProgram('mariadb-slap', port, load);
    const client = await createConnection({ host: '127.0.0.1', port, user: 'root', database: 'd' });
    for (const values of [[1], [2]]) await client.execute('INSERT INTO t VALUES (?, NULL)', values);
    await client.execute('SELECT a, b FROM t WHERE a > ?', [0]);
    await client.execute('INSERT INTO t VALUES (?, NULL)', [1]).catch(() => undefined);
    await client.execute('SELECT nosuch FROM t').catch(() => undefined);
    await client.query('DELETE FROM t');
    await client.ping();
    await client.end();
  });
  return { path, port };
}
