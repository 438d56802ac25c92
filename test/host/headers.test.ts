/** Header fields that the configuration asks for, from the wire to the collector: arrays of strings on the spans. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { createOtlpSink } from '../../host/export/otlp.ts';
import { createAcceptance } from '../../host/modules/accept.ts';
import { replayCases } from '../../host/modules/trial/replay.ts';
import type { SealedBatch } from '../../host/spans/batch.ts';
import { isSecretHeader } from '../../host/spans/secret-headers.ts';
import { admitModule, type ParserModule } from '../../host/wasm/admit.ts';
import { ParserInstance } from '../../host/wasm/instance.ts';
import { loadModules, shippedModuleFolder } from '../../host/wasm/load.ts';
import { buildParsers } from '../../parsers/build.ts';
import { offerOf, SCOPE, TestLog } from '../export/fixtures.ts';
import { httpReceiver } from '../export/receivers.ts';
import { createRig } from './rig.ts';
import { Conversation } from './scripted-source.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const SETTINGS = new Map([
  ['http.request.header', ['x-request-id', 'authorization', 'x-tenant']],
  ['http.response.header', ['content-type', 'set-cookie']],
]);
const REQUEST =
  'GET /items HTTP/1.1\r\nHost: shop\r\nX-Request-ID: a\r\nAuthorization: Bearer xyz\r\nX-REQUEST-id: b\r\nAccept: */*\r\n\r\n';
const RESPONSE =
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: s=xyz\r\nServer: odd\r\nContent-Length: 2\r\n\r\nok';
const EXPECTED = {
  'http.request.header.x-request-id': ['a', 'b'],
  'http.request.header.authorization': ['REDACTED'],
  'http.response.header.content-type': ['text/plain'],
  'http.response.header.set-cookie': ['REDACTED'],
};

let shipped: ParserModule[];

beforeAll(async () => {
  await buildParsers();
  shipped = loadModules(shippedModuleFolder());
}, 120_000);

/** Of a span: the attributes that header fields became. */
const headersOf = (attributes: object | undefined) =>
  Object.fromEntries(Object.entries(attributes ?? {}).filter(([name]) => /\.(header|metadata)\./.test(name)));

describe('HTTP/1', () => {
  test('the fields that were asked for, and no other', () => {
    const rig = createRig(shipped, { settings: SETTINGS });
    const talk = new Conversation(rig.source, 0);
    talk.ask(REQUEST);
    talk.answer(RESPONSE);
    expect(rig.finish().map(({ attributes }) => headersOf(attributes))).toEqual([EXPECTED]);
    expect(JSON.stringify(rig.spans[0]!.attributes)).not.toContain('xyz');
    expect(rig.count('attributes_refused')).toBe(0);
  });

  test('none when nothing was asked for', () => {
    const rig = createRig(shipped);
    const talk = new Conversation(rig.source, 0);
    talk.ask(REQUEST);
    talk.answer(RESPONSE);
    expect(rig.finish().map(({ attributes }) => headersOf(attributes))).toEqual([{}]);
  });

  test('a version that takes over in the middle of an exchange knows the lists', () => {
    const rig = createRig(shipped, { settings: SETTINGS });
    const talk = new Conversation(rig.source, 0);
    talk.ask(REQUEST.slice(0, 60));
    rig.run();
    const http1 = shipped.find(({ manifest }) => manifest.name === 'http1')!;
    const report = rig.pipeline.load({ ...http1, digest: 'next' }, performance.now());
    expect(report).toMatchObject({ moved: 1 });
    talk.ask(REQUEST.slice(60));
    talk.answer(RESPONSE);
    expect(rig.finish().map(({ attributes }) => headersOf(attributes))).toEqual([EXPECTED]);
  });

  test('lists beyond what the module has room for: it does not start', () => {
    const http1 = shipped.find(({ manifest }) => manifest.name === 'http1')!;
    const start = (names: string[]) => new ParserInstance(http1, 0, new Map([['http.request.header', names]]));
    const many = (count: number) => Array.from({ length: count }, (_, i) => `x-${i}`);
    expect(start(many(32)).slots).toBe(0);
    expect(start(['x'.repeat(63)]).slots).toBe(0);
    for (const names of [many(33), ['x'.repeat(64)], ['']]) {
      expect(() => start(names)).toThrow('module http1 cannot start: configure() returned 0');
    }
  });
});

describe('golden cases', () => {
  const CASE = (settings: string, shown: string) => `# One
settings: ${settings}
\`\`\`client
GET / HTTP/1.1\\r\\nHost: h\\r\\nX-A: 1\\r\\n\\r\\n
\`\`\`
\`\`\`messages
{"type":"request"${shown}}
\`\`\`
`;
  const http1 = () => shipped.find(({ manifest }) => manifest.name === 'http1')!;

  test('say what the module is told, each its own', () => {
    const two = CASE('http.request.header=x-a', ',"http.request.header.x-a":["1"]').replace('One', 'Two');
    expect(replayCases(http1(), CASE('http.request.header=x-b', '') + two)).toBeUndefined();
    const other = CASE('http.request.header=x-b', ',"http.request.header.x-a":["1"]');
    expect(replayCases(http1(), two + other)).toMatch(/^"One": message 1 is /);
  });

  test('with settings that nobody can read are refused', () => {
    expect(replayCases(http1(), CASE('x-a', ''))).toContain('setting "x-a" is not of the form name=value,value');
  });

  test('of the shipped modules pass at their acceptance', async () => {
    for (const name of ['http1', 'http2']) {
      const bytes = new Uint8Array(readFileSync(join(shippedModuleFolder(), `${name}.wasm`)));
      expect(await createAcceptance([])(bytes, admitModule(bytes))).toBeUndefined();
    }
  });
});

describe('a collector', () => {
  test('gets them as arrays', async () => {
    const receiver = await httpReceiver();
    const batches: SealedBatch[] = [];
    const rig = createRig(shipped, { settings: SETTINGS, emit: (batch) => batches.push(batch.seal()) });
    const talk = new Conversation(rig.source, 0);
    talk.ask(REQUEST);
    talk.answer(RESPONSE);
    rig.finish();
    const sink = createOtlpSink({ endpoint: receiver.url, protocol: 'http/protobuf' }, SCOPE, new TestLog());
    try {
      expect(batches).toHaveLength(1);
      expect(await sink.export(sink.take(offerOf(batches[0]!)), AbortSignal.timeout(10_000))).toEqual({ ok: true });
      expect(headersOf(receiver.spans[0]?.attributes)).toEqual({
        'http.request.header.x-request-id': 'array:string:a,string:b',
        'http.request.header.authorization': 'array:string:REDACTED',
        'http.response.header.content-type': 'array:string:text/plain',
        'http.response.header.set-cookie': 'array:string:REDACTED',
      });
    } finally {
      await sink.shutdown();
      await receiver.close();
    }
  });
});

describe('spanwire replay', () => {
  test('captures what its options say', { timeout: 120_000 }, async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        join(ROOT, 'host', 'main.ts'),
        'replay',
        join(ROOT, 'examples', 'demo', 'capture.pcap'),
        ...['--printer', 'json', '--capture-request-headers', 'Content-Type,host'],
        ...['--capture-response-headers', 'content-type'],
      ],
      { maxBuffer: 64 * 1024 * 1024 },
    );
    const spans = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { protocol: string; attributes: Record<string, unknown> });
    const web = spans.filter(({ protocol }) => protocol === 'http');
    expect(web.length).toBeGreaterThan(0);
    for (const { attributes } of web) {
      expect(attributes['http.request.header.host']).toEqual([expect.any(String)]);
      expect(attributes['http.response.header.content-type']).toEqual([expect.any(String)]);
      if (attributes['http.request.method'] === 'POST') {
        expect(attributes['http.request.header.content-type']).toEqual(['application/json']);
      }
    }
    expect(web.some(({ attributes }) => attributes['http.request.method'] === 'POST')).toBe(true);
  });
});

describe('which fields hold secrets', () => {
  test.each([
    'authorization',
    'proxy-authorization',
    'cookie',
    'set-cookie',
    'cookie2',
    'x-api-key',
    'apikey',
    'x-auth-token',
    'x-amz-security-token',
    'x-csrf-token',
    'x-session-id',
    'x-goog-iam-authorization-token',
    'x-hub-signature-256',
    'x-vault-token',
    'client-secret',
    'x-password',
    'ocp-apim-subscription-key',
  ])('%s', (name) => expect(isSecretHeader(name)).toBe(true));

  test.each([
    'content-type',
    'x-request-id',
    'user-agent',
    'keep-alive',
    'x-forwarded-for',
    'accept',
    'origin',
    'x-design',
  ])('not %s', (name) => expect(isSecretHeader(name)).toBe(false));
});
