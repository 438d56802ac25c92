/** The SQL library: what a statement does and to which tables, in both dialects, whole and cut off. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sdkModule } from '../sdk/module.ts';

const { call, put, at, memory } = await sdkModule(`
import * as sql from './parsers/sql/summary';

export function summarize(from: usize, length: u32, dialect: u32): void { sql.summarize(from, length, dialect); }
export function operation(): u32 { return <u32>sql.operationAt; }
export function operationLength(): u32 { return sql.operationLength; }
export function collection(): u32 { return <u32>sql.collectionAt; }
export function collectionLength(): u32 { return sql.collectionLength; }
export function summary(): u32 { return <u32>sql.summaryAt; }
export function summaryLength(): u32 { return sql.summaryLength; }
`);

const POSTGRES = 0;
const MYSQL = 1;
const CUT = 2;

function result(name: string): string {
  const from = call(name);
  return Buffer.from(memory().subarray(from, from + call(`${name}Length`))).toString();
}

function summarize(text: string | Uint8Array, dialect: number): string[] {
  const bytes = Buffer.from(text);
  put(Buffer.concat([bytes, Buffer.from('\'"x, y FROM z')]));
  call('summarize', at, bytes.length, dialect);
  return ['operation', 'collection', 'summary'].map(result);
}

type Row = readonly [sql: string, operation: string, collection: string, summary: string];

const BOTH: Row[] = [
  ['SELECT * FROM users', 'SELECT', 'users', 'SELECT users'],
  ['select id from Users where id = 1', 'SELECT', 'Users', 'SELECT Users'],
  ['SELECT 1', 'SELECT', '', 'SELECT'],
  ['SELECT * FROM app.users u', 'SELECT', 'app.users', 'SELECT app.users'],
  ['SELECT * FROM app . users', 'SELECT', 'app.users', 'SELECT app.users'],
  ['SELECT * FROM users u, orders AS o WHERE a IN (1, b)', 'SELECT', '', 'SELECT users orders'],
  ['SELECT * FROM users JOIN orders ON (a = b), c', 'SELECT', '', 'SELECT users orders c'],
  ['SELECT * FROM a LEFT JOIN b USING (x, y) JOIN c USING (z)', 'SELECT', '', 'SELECT a b c'],
  ['SELECT * FROM emp a JOIN emp b ON a.boss = b.id', 'SELECT', 'emp', 'SELECT emp emp'],
  ['SELECT * FROM (SELECT * FROM t) x', 'SELECT', 't', 'SELECT SELECT t'],
  ['SELECT * FROM (a JOIN b ON a.x = b.x), c', 'SELECT', '', 'SELECT a b c'],
  ['SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u)', 'SELECT', '', 'SELECT t SELECT u'],
  ['SELECT (SELECT max(x) FROM u) FROM t', 'SELECT', '', 'SELECT SELECT u t'],
  ['SELECT extract(year FROM day), trim(both FROM y) FROM t', 'SELECT', 't', 'SELECT t'],
  ['SELECT a IS DISTINCT FROM b FROM t', 'SELECT', 't', 'SELECT t'],
  ['SELECT a FROM t ORDER BY x, y LIMIT 1', 'SELECT', 't', 'SELECT t'],
  ['SELECT a FROM t GROUP BY x, y HAVING count(*) > 1', 'SELECT', 't', 'SELECT t'],
  ['SELECT a FROM t FOR UPDATE', 'SELECT', 't', 'SELECT t'],
  ['SELECT a FROM t UNION ALL SELECT a FROM u', 'SELECT', '', 'SELECT t SELECT u'],
  ['(SELECT a FROM t) UNION (SELECT b FROM t)', 'SELECT', 't', 'SELECT t SELECT t'],
  ['SELECT t.select, t.from FROM t', 'SELECT', 't', 'SELECT t'],
  ["SELECT 'it''s FROM x' FROM t", 'SELECT', 't', 'SELECT t'],
  ['SELECT replace(a, 1, 2), (replace(b, 1, 2)) FROM t', 'SELECT', 't', 'SELECT t'],
  ['/* app */ SELECT /* FROM x */ a -- FROM y\n FROM t', 'SELECT', 't', 'SELECT t'],
  ['INSERT INTO t VALUES (1, 2), (3, 4)', 'INSERT', 't', 'INSERT t'],
  ['insert into t (a, b) values (1, 2)', 'INSERT', 't', 'INSERT t'],
  ['INSERT INTO x SELECT * FROM y', 'INSERT', '', 'INSERT x SELECT y'],
  ['INSERT INTO x (a) SELECT a FROM x', 'INSERT', 'x', 'INSERT x SELECT x'],
  ['UPDATE t SET a = 1, b = 2 WHERE c', 'UPDATE', 't', 'UPDATE t'],
  ['UPDATE t SET a = (SELECT b FROM u)', 'UPDATE', '', 'UPDATE t SELECT u'],
  ['DELETE FROM t WHERE a = 1', 'DELETE', 't', 'DELETE t'],
  ['WITH a AS (SELECT * FROM users) SELECT * FROM a', 'SELECT', 'users', 'SELECT users SELECT'],
  [
    'WITH RECURSIVE a (n) AS (SELECT 1 UNION SELECT n FROM A), b AS (SELECT 2) SELECT * FROM a, b, t',
    'SELECT',
    't',
    'SELECT SELECT SELECT SELECT t',
  ],
  ['WITH a AS (SELECT 1) DELETE FROM t', 'DELETE', 't', 'SELECT DELETE t'],
  ['EXPLAIN SELECT * FROM t', 'EXPLAIN', 't', 'EXPLAIN SELECT t'],
  ['EXPLAIN ANALYZE UPDATE t SET a = 1', 'EXPLAIN', 't', 'EXPLAIN UPDATE t'],
  ['CREATE TABLE t (a int, b int)', 'CREATE', 't', 'CREATE TABLE t'],
  ['CREATE TABLE IF NOT EXISTS t AS SELECT * FROM u', 'CREATE', '', 'CREATE TABLE t SELECT u'],
  ['create temporary table t (a int)', 'CREATE', 't', 'CREATE TABLE t'],
  ['CREATE UNIQUE INDEX i ON t (a)', 'CREATE', '', 'CREATE INDEX i'],
  ['CREATE OR REPLACE VIEW v AS SELECT * FROM t', 'CREATE', '', 'CREATE VIEW v SELECT t'],
  ['ALTER TABLE t ADD COLUMN a int, DROP COLUMN b', 'ALTER', 't', 'ALTER TABLE t'],
  ['DROP TABLE IF EXISTS t', 'DROP', 't', 'DROP TABLE t'],
  ['DROP TABLE t, u', 'DROP', '', 'DROP TABLE t u'],
  ['TRUNCATE TABLE t', 'TRUNCATE', 't', 'TRUNCATE t'],
  ['CALL p(1, 2)', 'CALL', '', 'CALL p'],
  ['GRANT SELECT, INSERT ON t TO u', 'GRANT', '', 'GRANT'],
  ['revoke select on t from u', 'REVOKE', '', 'REVOKE'],
  ['SELECT * FROM a NATURAL JOIN b CROSS JOIN c', 'SELECT', '', 'SELECT a b c'],
  ['SELECT * FROM a LEFT OUTER JOIN b ON x = y RIGHT JOIN c ON z', 'SELECT', '', 'SELECT a b c'],
  ['INSERT INTO t (a) SELECT b FROM u JOIN v ON x = y', 'INSERT', '', 'INSERT t SELECT u v'],
  ['BEGIN', 'BEGIN', '', 'BEGIN'],
  ['commit;', 'COMMIT', '', 'COMMIT'],
  ['SET x = (SELECT 1)', 'SET', '', 'SET SELECT'],
  ['SHOW TABLES FROM x', 'SHOW', '', 'SHOW'],
  [' ; SELECT a FROM t; DELETE FROM u', 'SELECT', 't', 'SELECT t'],
  ['VALUES (1), (2)', 'VALUES', '', 'VALUES'],
  ['EXECUTE p(now())', 'EXECUTE', '', 'EXECUTE'],
  ['', '', '', ''],
  ['-- nothing', '', '', ''],
  ['12 + 3', '', '', ''],
];

const OF_POSTGRES: Row[] = [
  ['SELECT * FROM "My ""Table"""."x"', 'SELECT', 'My "Table".x', 'SELECT My "Table".x'],
  ['SELECT $$ FROM x $$, $a$ $$ FROM y $a$, $1 FROM t', 'SELECT', 't', 'SELECT t'],
  ["SELECT E'it\\'s FROM x', '\\' FROM t", 'SELECT', 't', 'SELECT t'],
  ['SELECT /* a /* b */ FROM x */ c FROM t', 'SELECT', 't', 'SELECT t'],
  ['SELECT a#b FROM t', 'SELECT', 't', 'SELECT t'],
  ['SELECT * FROM generate_series(1, 10) g, t', 'SELECT', 't', 'SELECT t'],
  ['SELECT * FROM ONLY t, LATERAL (SELECT * FROM u) x', 'SELECT', '', 'SELECT t SELECT u'],
  ["SELECT a::date, '1'::timestamp(3) WITH TIME ZONE FROM t", 'SELECT', 't', 'SELECT t'],
  ['INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 2 RETURNING c, d', 'INSERT', 't', 'INSERT t'],
  ['UPDATE t SET a = u.a FROM u WHERE x', 'UPDATE', '', 'UPDATE t u'],
  ['DELETE FROM t USING u, v WHERE x', 'DELETE', '', 'DELETE t u v'],
  ['WITH d AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM d', 'INSERT', '', 'DELETE t INSERT u SELECT'],
  ['INSERT INTO t WITH a AS (SELECT 1) SELECT * FROM a', 'INSERT', 't', 'INSERT t SELECT SELECT'],
  ['WITH a AS MATERIALIZED (SELECT 1 FROM t) SELECT 2', 'SELECT', 't', 'SELECT t SELECT'],
  ['EXPLAIN (ANALYZE, BUFFERS) DELETE FROM t', 'EXPLAIN', 't', 'EXPLAIN DELETE t'],
  ['COPY app.t (a, b) FROM STDIN', 'COPY', 'app.t', 'COPY app.t'],
  ['COPY (SELECT a FROM t) TO STDOUT WITH (FORMAT csv)', 'COPY', 't', 'COPY SELECT t'],
  ['MERGE INTO t USING u ON a = b WHEN MATCHED THEN UPDATE SET a = 1', 'MERGE', '', 'MERGE t u'],
  ['PREPARE p AS SELECT * FROM t', 'PREPARE', 't', 'PREPARE SELECT t'],
  ['DECLARE c CURSOR FOR SELECT * FROM t', 'DECLARE', 't', 'DECLARE SELECT t'],
  ['VACUUM FULL ANALYZE t', 'VACUUM', 't', 'VACUUM t'],
  ['TABLE t', 'TABLE', 't', 'TABLE t'],
  ['CREATE INDEX CONCURRENTLY ON t (a)', 'CREATE', '', 'CREATE INDEX'],
  ['LISTEN channel', 'LISTEN', '', 'LISTEN'],
];

const OF_MYSQL: Row[] = [
  ['SELECT * FROM `my ``table```.`x`', 'SELECT', 'my `table`.x', 'SELECT my `table`.x'],
  ['SELECT "FROM x \\" FROM y", \'a\\\' FROM z\' FROM t', 'SELECT', 't', 'SELECT t'],
  ['SELECT a # FROM x\n, b--1 FROM t', 'SELECT', 't', 'SELECT t'],
  ['SELECT 5--3 FROM t -- FROM x', 'SELECT', 't', 'SELECT t'],
  ['/*!50000 SELECT */ a /* x /* y */ FROM t', 'SELECT', 't', 'SELECT t'],
  ['SELECT now() FROM DUAL', 'SELECT', '', 'SELECT'],
  ['SELECT a INTO @x FROM t', 'SELECT', 't', 'SELECT t'],
  ['REPLACE INTO t VALUES (1)', 'REPLACE', 't', 'REPLACE t'],
  ['INSERT IGNORE t SET a = 1, b = 2', 'INSERT', 't', 'INSERT t'],
  ['INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 1, b = 2', 'INSERT', 't', 'INSERT t'],
  ['UPDATE LOW_PRIORITY t JOIN u ON a = b SET c = 1', 'UPDATE', '', 'UPDATE t u'],
  ['DELETE a FROM t AS a', 'DELETE', 't', 'DELETE t'],
  ["LOAD DATA LOCAL INFILE 'f' INTO TABLE t FIELDS TERMINATED BY ','", 'LOAD', 't', 'LOAD t'],
  ['LOCK TABLES a READ, b WRITE', 'LOCK', '', 'LOCK a b'],
  ['SELECT * FROM a STRAIGHT_JOIN b', 'SELECT', '', 'SELECT a b'],
  ['DESCRIBE t', 'DESCRIBE', 't', 'DESCRIBE t'],
  ['USE x', 'USE', '', 'USE'],
];

const OF_CUT: Row[] = [
  ['SELECT * FROM use', 'SELECT', '', 'SELECT'],
  ['SELECT * FROM users WHERE na', 'SELECT', '', 'SELECT users'],
  ["INSERT INTO t (a) VALUES ('long", 'INSERT', 't', 'INSERT t'],
  ['INSERT INTO t SELECT a FROM u WHERE ', 'INSERT', '', 'INSERT t SELECT u'],
  ['WITH a AS (SELECT * FROM t) SEL', '', '', 'SELECT t'],
  ['SEL', '', '', ''],
  ['/* long', '', '', ''],
];

describe.each([
  ['either dialect, as Postgres', BOTH, POSTGRES],
  ['either dialect, as MySQL', BOTH, MYSQL],
  ['Postgres', OF_POSTGRES, POSTGRES],
  ['MySQL', OF_MYSQL, MYSQL],
  ['cut off', OF_CUT, POSTGRES | CUT],
] as const)('%s', (_, rows, dialect) => {
  test.each(rows)('%s', (sql, ...expected) => {
    expect(summarize(sql, dialect)).toEqual(expected);
  });
});

test('a summary holds whole names in 255 bytes, and a name that is longer is no collection', () => {
  const [long, longer] = ['a'.repeat(120), 'b'.repeat(256)];
  expect(summarize(`SELECT * FROM ${long}1, ${long}2, ${long}3, x`, POSTGRES)).toEqual([
    'SELECT',
    '',
    `SELECT ${long}1 ${long}2`,
  ]);
  expect(summarize(`SELECT * FROM ${longer}`, POSTGRES)).toEqual(['SELECT', '', 'SELECT']);
});

test('parentheses as deep as anyone likes', () => {
  const sql = `SELECT ${'('.repeat(500)}SELECT a FROM u${')'.repeat(500)} FROM t`;
  expect(summarize(sql, POSTGRES)).toEqual(['SELECT', 't', 'SELECT SELECT t']);
});

test('what lies behind the text makes no difference, whatever the text', () => {
  const words = fc.constantFrom(
    ...['SELECT', 'FROM', 'WITH', 'AS', 'INTO', 'INSERT', 't', '"', "'", '`', '$$', '$a$', '(', ')', ',', '.', ';'],
    ...['/*', '*/', '--', '\n', '#', '\\', 'E', '1', ' ', 'é'],
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 30 }), fc.nat(3), (parts, dialect) => {
      const text = Buffer.from(parts.join(''));
      const plain = summarize(text, dialect);
      put(Buffer.concat([text, Buffer.from('$$`*/\n')]));
      call('summarize', at, text.length, dialect);
      expect(['operation', 'collection', 'summary'].map(result)).toEqual(plain);
    }),
    { numRuns: 500 },
  );
});
