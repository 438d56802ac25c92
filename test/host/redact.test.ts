/** Secrets go before anybody sees them: docs/abi.md, the classes of redaction. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAttributes } from '../../host/spans/attributes.ts';
import { nameSpan, ProtocolTable } from '../../host/spans/protocols.ts';
import { type Redaction, redact, redactedMax, redactionOf } from '../../host/spans/redact.ts';
import type { Attributes } from '../../host/spans/span.ts';
import { parseManifest } from '../../host/wasm/manifest.ts';
import { LINE_MANIFEST } from './line-protocol.ts';
import { refined } from './message-memory.ts';

/** The value stands amid other bytes, which must not matter. */
function redacted(kind: Redaction, text: string): string {
  const value = Buffer.from(text);
  const bytes = Buffer.concat([Buffer.from("'$a$/*x"), value, Buffer.from("secret'--*/")]);
  const out = new Uint8Array(redactedMax(value.length));
  return Buffer.from(out.subarray(0, redact(kind, bytes, 7, value.length, out))).toString();
}

describe('query', () => {
  test.each([
    ['a=1&b=2', 'a=1&b=2'],
    ['', ''],
    ['token=abc', 'token=REDACTED'],
    ['a=1&Signature=abc&b=2', 'a=1&Signature=REDACTED&b=2'],
    ['AWSAccessKeyId=A&sig=B&X-Goog-Signature=C', 'AWSAccessKeyId=REDACTED&sig=REDACTED&X-Goog-Signature=REDACTED'],
    [
      'X-Amz-Credential=A&X-Amz-Date=D&X-Amz-Signature=B',
      'X-Amz-Credential=REDACTED&X-Amz-Date=D&X-Amz-Signature=REDACTED',
    ],
    ['ACCESS_TOKEN=a&accessToken=b&access-token=c', 'ACCESS_TOKEN=REDACTED&accessToken=REDACTED&access-token=REDACTED'],
    ['%74oken=a&pass%77ord=b&to%6B%65n=c', '%74oken=REDACTED&pass%77ord=REDACTED&to%6B%65n=REDACTED'],
    [
      'user[password]=a&user%5Bpassword%5D=b&auth.token=c',
      'user[password]=REDACTED&user%5Bpassword%5D=REDACTED&auth.token=REDACTED',
    ],
    ['a=1;token=x;y=2&b=3', 'a=1;token=REDACTED&b=3'],
    ['/path?token=a#part', '/path?token=REDACTED'],
    ['next=/login?password=x&b=1', 'next=/login?password=REDACTED&b=1'],
    ['token=', 'token=REDACTED'],
    ['token', 'token'],
    ['tokens=1&keyboard=2&passenger=3&author=4', 'tokens=1&keyboard=2&passenger=3&author=4'],
    ['%zz=1&token%=2&%=3&=4', '%zz=1&token%=REDACTED&%=3&=4'],
    ['token=a=b', 'token=REDACTED'],
    ['q=token=5', 'q=token=REDACTED'],
  ])('%s → %s', (text, expected) => {
    expect(redacted('query', text)).toBe(expected);
  });

  test('no value of a secret parameter survives, and every other stays', () => {
    const value = fc.stringMatching(/^[a-z0-9%;=/.+-]{0,12}$/).map((text) => text.replaceAll('=', ''));
    const plain = fc.tuple(
      fc.constantFrom('q', 'page', 'id', 'names[]'),
      value.map((text) => text.replaceAll(';', '')),
    );
    const secret = fc.tuple(
      fc.constantFrom('token', 'Password', 'API_KEY', 'sig', '%63ode'),
      fc.stringMatching(/^[a-z]{1,12}$/).map((text) => `~${text}`),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(plain, secret), { maxLength: 12 }), (list) => {
        const isSecret = (text: string) => text.startsWith('~');
        const expected = list.map(([name, text]) => `${name}=${isSecret(text) ? 'REDACTED' : text}`);
        expect(redacted('query', list.map((pair) => pair.join('=')).join('&'))).toBe(expected.join('&'));
      }),
    );
  });
});

describe('sql, any dialect', () => {
  const BOTH: [string, string][] = [
    ['SELECT * FROM t WHERE a = 1', 'SELECT * FROM t WHERE a = ?'],
    ["SELECT 'a', 'it''s', ''", 'SELECT ?, ?, ?'],
    ["SELECT E'it\\'s', X'ff', b'01', N'x', e''", 'SELECT ?, ?, ?, ?, ?'],
    ["SELECT'x'", 'SELECT?'],
    ["date'2020-01-01', _utf8'x', U&'x'", 'date?, _utf8?, U&?'],
    ['1 1.5 .5 1e5 1e-5 1.5E+10 0xFF 1_000 5abc -3', '? ? ? ? ? ? ? ? ? -?'],
    ['a1, t.b2, c_3, a$4, é5', 'a1, t.b2, c_3, a$4, é5'],
    ['1-1 1+1 1e+x', '?-? ?+? ?+x'],
    ['$1 ?1 ? :name @p @@var', '$1 ?1 ? :name @p @@var'],
    [':1 @1 {k:5}', ':? @? {k:?}'],
    ['`a b` `it``s` `5`', '`a b` `it``s` `5`'],
    ['[Order Details] ARRAY[1,2]', '[Order Details] ARRAY[?,?]'],
    ['a::int', 'a::int'],
    ['a /* secret */ b', 'a   b'],
    ['a /* secret', 'a  '],
    ['a -- secret\nb', 'a  \nb'],
    ['a -- secret', 'a  '],
    ['a - b / c * d', 'a - b / c * d'],
    ["SELECT 'cut of", 'SELECT ?'],
    ["SELECT 'cut off\\", 'SELECT ?'],
    ["SELECT 'cut off''", 'SELECT ?'],
    ['SELECT `cut off', 'SELECT ?'],
    ["q'[it's]' , x", '?'],
    ["SELECT 'a\\\\', b", 'SELECT ?, b'],
    ['', ''],
  ];
  test.each(BOTH)('%s → %s', (text, expected) => {
    expect(redacted('sql', text)).toBe(expected);
    expect(redacted('mysql', text)).toBe(expected);
  });

  test.each<[string, string, string]>([
    ['SELECT "name" FROM t', 'SELECT "name" FROM t', 'SELECT ? FROM t'],
    ['SELECT "it""s", 5', 'SELECT "it""s", ?', 'SELECT ?, ?'],
    ['SELECT "cut of', 'SELECT ?', 'SELECT ?'],
    ["SELECT 'O\\'Brien', x", 'SELECT ?', 'SELECT ?, x'],
    ["SELECT 'C:\\', secret, 'x'", 'SELECT ?', 'SELECT ??'],
    ['a # secret\nb', 'a # secret\nb', 'a  \nb'],
    ['a /* x /* y */ z */ b', 'a   b', 'a   z */ b'],
    ["$$it's$$, $x$a$$b'$x$, $y", '?, ?, $y', '$$it?$x$, $y'],
    ['$x$ cut of $x', '?', '$x$ cut of $x'],
  ])('%s → %s, in MySQL %s', (text, expected, inMysql) => {
    expect(redacted('sql', text)).toBe(expected);
    expect(redacted('mysql', text)).toBe(inMysql);
  });

  /** Pieces of SQL: text with the literal's content marked by capital Z. */
  const secret = fc.stringMatching(/^[a-z '"$;*/\\-]{0,10}$/);
  const literal = (isMysql: boolean) =>
    fc.oneof(
      secret.map((text) => `'Z${text.replaceAll('\\', '').replaceAll("'", "''")}Z'`),
      secret.map((text) => `E'Z${text.replace(/['\\]/g, '\\$&')}Z'`),
      fc.stringMatching(/^[1-9][0-9]{0,5}(\.[0-9]{1,3})?(e-?[0-9]{1,2})?$/),
      isMysql
        ? secret.map((text) => `"Z${text.replace(/["\\]/g, '\\$&')}Z"`)
        : secret.map((text) => `$t$Z${text.replaceAll('$', '')}Z$t$`),
      secret.map((text) => `/*Z${text.replaceAll('*', '')}Z*/`),
      secret.map((text) => `--Z${text}Z\n`),
    );
  const plain = fc.constantFrom('select', ' ', ',', '(', ')', '=', 'a.b', '`x y`', '?', ':p', '\n', '<>', 'é');
  const statement = (isMysql: boolean) =>
    fc
      .array(
        fc.oneof(
          plain,
          literal(isMysql).map((text) => ` ${text} `),
        ),
        { maxLength: 20 },
      )
      .map((all) => all.join(''));

  test.each([['sql'], ['mysql']] as const)('no literal and no comment of a statement in %s survives', (kind) => {
    fc.assert(
      fc.property(statement(kind === 'mysql'), (text) => {
        const result = redacted(kind, text);
        expect(result).not.toMatch(/[Z0-9]/);
        expect(result.match(/select/g)).toEqual(text.match(/select/g));
      }),
      { numRuns: 1000 },
    );
  });

  test.each([['sql'], ['mysql']] as const)('nor of one that is cut anywhere, in %s', (kind) => {
    fc.assert(
      fc.property(statement(kind === 'mysql'), fc.double({ min: 0, max: 1, noNaN: true }), (text, part) => {
        expect(redacted(kind, text.slice(0, text.length * part))).not.toMatch(/[Z0-9]/);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('auth and header', () => {
  test.each<[Redaction, string, string]>([
    ['auth', 'Bearer abc.def', 'Bearer REDACTED'],
    ['auth', 'AUTH user secret', 'AUTH REDACTED'],
    ['auth', ' AUTH\tsecret', ' AUTH\tREDACTED'],
    ['auth', 'QUIT', 'QUIT'],
    ['auth', '', ''],
    ['header', 'abc', 'REDACTED'],
    ['header', '', 'REDACTED'],
  ])('%s: %s → %s', (kind, text, expected) => {
    expect(redacted(kind, text)).toBe(expected);
  });
});

describe('every class', () => {
  const KINDS: Redaction[] = ['query', 'sql', 'mysql', 'auth', 'header'];
  const noise = fc.string({
    unit: fc.constantFrom(...'\'"`$\\-/*#?&;=:.%[]{} \n\t@_eExXqQnN059abzé'.split(''), 'token=', 'sig=&', '--', '$$'),
    maxLength: 60,
  });

  test.each(KINDS)('%s: twice is once, and the scratch is long enough', (kind) => {
    fc.assert(
      fc.property(noise, (text) => {
        const once = redacted(kind, text);
        expect(redacted(kind, once)).toBe(once);
        expect(Buffer.byteLength(once)).toBeLessThanOrEqual(redactedMax(Buffer.byteLength(text)));
      }),
      { numRuns: 2000 },
    );
  });

  test.each(KINDS)('%s: any bytes', (kind) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const out = new Uint8Array(redactedMax(bytes.length));
        const length = redact(kind, bytes, 0, bytes.length, out);
        expect(length).toBeLessThanOrEqual(out.length);
      }),
    );
  });
});

describe('a span', () => {
  const manifest = (system: string) =>
    parseManifest(
      JSON.stringify({
        ...LINE_MANIFEST,
        protocols: [
          { ...LINE_MANIFEST.protocols[0], spanName: 'run {db.query.text}', constants: { 'db.system.name': system } },
        ],
        attributes: [
          { id: 1, name: 'db.query.text', type: 'string', redaction: 'sql' },
          { id: 2, name: 'url.query', type: 'string', redaction: 'query' },
          { id: 3, name: 'a.plain', type: 'string' },
        ],
      }),
    );

  function decode(system: string, list: { id: number; value: string }[]) {
    const table = new ProtocolTable();
    const protocol = table.list[table.add(manifest(system), new Set())]!;
    const into: Attributes = {};
    const { words, count } = refined(protocol, list);
    decodeAttributes(into, protocol, words, 0, count);
    return { attributes: into, name: nameSpan(protocol, into) };
  }

  test('carries redacted values, in its name, too', () => {
    const { attributes, name } = decode('postgresql', [
      { id: 1, value: `SELECT "a" FROM t WHERE b = 'secret'` },
      { id: 2, value: 'token=secret' },
      { id: 3, value: `token='secret'` },
    ]);
    expect(attributes).toEqual({
      'db.query.text': 'SELECT "a" FROM t WHERE b = ?',
      'url.query': 'token=REDACTED',
      'a.plain': `token='secret'`,
    });
    expect(name).toBe('run SELECT "a" FROM t WHERE b = ?');
  });

  test('of a MySQL protocol is redacted as that dialect', () => {
    const { attributes } = decode('mysql', [
      { id: 1, value: `SELECT a FROM t WHERE b = "secret" AND c = 'O\\'B' OR d` },
    ]);
    expect(attributes).toEqual({ 'db.query.text': 'SELECT a FROM t WHERE b = ? AND c = ? OR d' });
  });

  test('of the shipped MySQL parser, which names no system before it has seen one, as well', () => {
    const shipped = new URL('../../parsers/mysql/manifest.json', import.meta.url);
    const { attributes, protocols } = parseManifest(readFileSync(shipped, 'utf8'));
    const classes = attributes.map(({ redaction }) => redactionOf(redaction, protocols[0]!));
    expect(classes.filter(Boolean)).toEqual(['mysql']);
  });

  test('never shows a literal that STRING_MAX cuts', () => {
    const { attributes } = decode('postgresql', [{ id: 1, value: `SELECT '${'secret '.repeat(400)}', 'x'` }]);
    expect(attributes).toEqual({ 'db.query.text': 'SELECT ?' });
  });

  test('carries a value that grows to the most there is', () => {
    const { attributes } = decode('postgresql', [{ id: 2, value: 'sig=&'.repeat(400) }]);
    expect(attributes['url.query']).toBe('sig=REDACTED&'.repeat(400));
  });
});
