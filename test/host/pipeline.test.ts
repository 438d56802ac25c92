/** Records in, spans out: the whole data path of one shard on traffic that the test scripts. */
import { beforeAll, describe, expect, test } from 'vitest';
import { CONNECTIONS_MAX } from '../../host/engine/layout/connections.ts';
import { FLAG_ORIGIN_KNOWN, KIND_CLOSE, KIND_DATA, KIND_EOF } from '../../host/kernel/layout.ts';
import { createSampler } from '../../host/spans/sampler.ts';
import type { ParserModule } from '../../host/wasm/admit.ts';
import { loadModules, shippedModuleFolder } from '../../host/wasm/load.ts';
import { buildParsers } from '../../parsers/build.ts';
import { lineModule } from './line-protocol.ts';
import { createRig, expectBalanced } from './rig.ts';
import { Conversation, createRecord } from './scripted-source.ts';

let line: ParserModule;
let shipped: ParserModule[];

beforeAll(async () => {
  line = await lineModule();
  await buildParsers();
  shipped = loadModules(shippedModuleFolder());
}, 120_000);

/** Lines that make the line module say GIVE_UP and UPGRADE (to a tunnel, to WebSocket). */
const GIVES_UP = '!x\n';
const UPGRADES = '!v\n';
const WEBSOCKET = '!V\n';
const REQUEST = 'GET /items?id=1 HTTP/1.1\r\nHost: shop.example\r\n\r\n';
const RESPONSE = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

describe('spans of the shipped parsers', () => {
  test('an HTTP request: names, kind, times, attributes', () => {
    const rig = createRig(shipped);
    rig.pipeline.setClockOffset(5, 1);
    const talk = new Conversation(rig.source, 0, { tgid: 77 });
    talk.ask(REQUEST, 1000);
    talk.answer(RESPONSE, 4000);
    talk.close(5000);
    const [span, ...others] = rig.finish();
    expect(others).toEqual([]);
    expect(span).toMatchObject({
      name: 'GET',
      kind: 'server',
      protocol: 'http',
      startTimeUnixNano: 2n ** 32n + 1005n,
      endTimeUnixNano: 2n ** 32n + 4005n,
      status: 'unset',
      traceFlags: 1,
      resource: { attributes: { 'service.name': 'service-77' } },
    });
    expect(span!.attributes).toMatchObject({
      'http.request.method': 'GET',
      'url.path': '/items',
      'http.response.status_code': 200,
      'http.response.body.size': 5,
      'server.address': 'shop.example',
      'client.address': '10.0.0.2',
      'client.port': 50_000,
      'network.peer.address': '10.0.0.2',
    });
    expect(span!.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(span!.spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(span!.parentSpanId).toBeUndefined();
    expect(rig.source.released).toEqual([0]);
    expectBalanced(rig);
  });

  test('the traceparent of the request is the parent', () => {
    const rig = createRig(shipped, { sampler: createSampler('always_on') });
    const talk = new Conversation(rig.source, 0);
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';
    talk.ask(REQUEST.replace('\r\n\r\n', `\r\ntraceparent: ${traceparent}\r\ntracestate: a=1\r\n\r\n`), 1);
    talk.answer(RESPONSE, 2);
    expect(rig.finish()[0]).toMatchObject({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      parentSpanId: 'b7ad6b7169203331',
      traceFlags: 0,
      traceState: 'a=1',
    });
  });

  test('the client’s side of a Redis connection', () => {
    const rig = createRig(shipped);
    const talk = new Conversation(rig.source, 0, { isServer: false, localPort: 50_001, remotePort: 6379 });
    talk.ask('*2\r\n$3\r\nGET\r\n$1\r\nk\r\n', 10);
    talk.answer('$1\r\nv\r\n', 20);
    const [span] = rig.finish();
    expect(span).toMatchObject({ name: 'GET', kind: 'client', protocol: 'redis' });
    expect(span!.attributes).toMatchObject({
      'db.system.name': 'redis',
      'db.operation.name': 'GET',
      'server.address': '10.0.0.2',
      'server.port': 6379,
    });
  });

  test('two protocols on interleaved connections do not meet', () => {
    const rig = createRig(shipped);
    const web = new Conversation(rig.source, 0);
    const cache = new Conversation(rig.source, 1, { localPort: 6379 });
    for (let i = 1; i <= 50; i++) {
      web.ask(REQUEST.slice(0, 20), i * 100);
      cache.ask('*1\r\n$4\r\nPI', i * 100);
      web.ask(REQUEST.slice(20), i * 100 + 10);
      cache.ask('NG\r\n', i * 100 + 10);
      cache.answer('+PONG\r\n', i * 100 + 30);
      web.answer(RESPONSE, i * 100 + 40);
    }
    const spans = rig.finish();
    const durations = (name: string) =>
      spans.filter((span) => span.name === name).map((span) => span.endTimeUnixNano - span.startTimeUnixNano);
    expect(durations('GET')).toEqual(new Array(50).fill(40n));
    expect(durations('PING')).toEqual(new Array(50).fill(30n));
    expectBalanced(rig);
  });

  test('joined in mid-stream: from the next full request on, and no latency before that', () => {
    const rig = createRig(shipped);
    const talk = new Conversation(rig.source, 0, { midStream: true });
    talk.answer('rest of a body nobody saw the start of', 50);
    for (let i = 1; i <= 5; i++) {
      talk.ask(REQUEST, i * 1000);
      talk.answer(RESPONSE, i * 1000 + 7);
    }
    talk.close(9000);
    const spans = rig.finish();
    expect(spans.map((span) => span.endTimeUnixNano - span.startTimeUnixNano)).toEqual(new Array(5).fill(7n));
    expectBalanced(rig);
  });

  test('the agent came while the server was thinking: that answer is nobody’s', () => {
    const rig = createRig(shipped);
    const talk = new Conversation(rig.source, 0, { midStream: true });
    talk.answer(RESPONSE, 50);
    talk.ask(REQUEST, 1000);
    talk.answer(RESPONSE, 1007);
    talk.close(9000);
    expect(rig.finish().map((span) => span.startTimeUnixNano)).toEqual([1000n]);
    expect(rig.count('messages_dropped_unpaired')).toBe(1);
    expectBalanced(rig);
  });
});

describe('the life of a connection', () => {
  test('closed with requests outstanding: they are counted, the number comes back', () => {
    const rig = createRig([line]);
    const talk = new Conversation(rig.source, 3);
    talk.ask('Q one\nQ two\n', 1);
    talk.answer('A one\n', 2);
    talk.close(3);
    rig.run();
    expect(rig.spans).toHaveLength(1);
    expect(rig.count('messages_dropped_closed')).toBe(1);
    expect(rig.source.released).toEqual([3]);
    expect(rig.count('connections_closed')).toBe(1);
    expectBalanced(rig);
  });

  test('a number used again is another connection', () => {
    const rig = createRig([line]);
    for (let round = 0; round < 3; round++) {
      const talk = new Conversation(rig.source, 0, { cookie: 100 + round, tgid: 10 + round, origin: round * 999 });
      talk.ask('Q one\nQ lost\n', 1);
      talk.answer('A one\n', 2);
      talk.close(3);
      rig.run();
    }
    const names = rig.finish().map(({ resource }) => resource.attributes['service.name']);
    expect(names).toEqual(['service-10', 'service-11', 'service-12']);
    expect(rig.source.released).toEqual([0, 0, 0]);
    expectBalanced(rig);
  });

  test('an unknown protocol is counted, ignored, and still released at its close', () => {
    const rig = createRig([line]);
    const talk = new Conversation(rig.source, 0, { cookie: 42 });
    talk.ask('\x16\x03\x01 something else', 1);
    talk.ask('more of it', 2);
    rig.run();
    expect(rig.count('connections_unknown')).toBe(1);
    expect(rig.count('bytes_unknown')).toBe(28);
    expect(rig.ignored).toEqual([42]);
    talk.ask('the kernel tells nothing of this', 3, true);
    talk.close(4);
    rig.run();
    expect(rig.source.released).toEqual([0]);
    expect(rig.count('bytes_gap_lost')).toBe(0);
    expectBalanced(rig);
  });

  test('of an ignored connection that does not fall silent the kernel is told again, now and then', () => {
    const told: boolean[] = [];
    const rig = createRig([line], { verdict: (_low, _high, isIgnored) => told.push(isIgnored) });
    const talk = new Conversation(rig.source, 0);
    talk.ask('\x16\x03\x01 something else', 1);
    for (let second = 0; second < 12; second++) {
      for (let record = 0; record < 3; record++) talk.answer('more of it', 2);
      rig.pipeline.poll(second * 1000);
    }
    expect(told).toEqual([true, true, true]);
    expect(rig.count('bytes_unknown')).toBe(18 + 36 * 10);
    rig.finish();
    expectBalanced(rig);
  });

  test.each([GIVES_UP, UPGRADES, WEBSOCKET])(
    'given up (%s): what came before is kept, what comes is identified anew',
    (command) => {
      const rig = createRig([line]);
      const talk = new Conversation(rig.source, 0, { cookie: 42 });
      talk.ask('Q one\n', 1);
      talk.answer('A one\n', 2);
      talk.ask(command, 3);
      rig.run();
      talk.ask('Q two\n', 4);
      talk.answer('A two\n', 5);
      const isKnown = command !== WEBSOCKET;
      expect(rig.finish()).toHaveLength(isKnown ? 2 : 1);
      expect(rig.ignored).toEqual(isKnown ? [] : [42]);
      expect(rig.count('connections_upgraded')).toBe(command === GIVES_UP ? 0 : 1);
      expect(rig.count('connections_reidentified')).toBe(command === GIVES_UP ? 1 : 0);
      expectBalanced(rig);
    },
  );

  test('upgraded in the middle of a chunk: the rest of it is the new protocol’s, from its first byte', () => {
    const rig = createRig([line]);
    const talk = new Conversation(rig.source, 0);
    talk.ask('Q one\n', 1);
    talk.answer('A one\n', 2);
    talk.ask(`${UPGRADES}Q two\nQ three\n`, 3);
    talk.answer('A two\nA three\n', 4);
    talk.close(5);
    const methods = rig.finish().map(({ attributes }) => attributes['rpc.method']);
    expect(methods).toEqual(['one', 'two', 'three']);
    expect(rig.count('connections_identified')).toBe(2);
    expectBalanced(rig);
  });

  test('given up again and again: ignored in the end', () => {
    const rig = createRig([line]);
    const talk = new Conversation(rig.source, 0, { cookie: 42 });
    for (let time = 1; time <= 9; time += 3) {
      talk.ask('Q one\n', time);
      talk.answer('A one\n', time + 1);
      talk.ask(GIVES_UP, time + 2);
      rig.run();
    }
    rig.finish();
    expect(rig.ignored).toEqual([42]);
    expect(rig.count('connections_reidentified')).toBe(2);
    expect(rig.count('connections_given_up')).toBe(1);
    expectBalanced(rig);
  });

  test('pairs on trial are not confirmed by a parser that gives up', () => {
    const rig = createRig([line]);
    const talk = new Conversation(rig.source, 0, { midStream: true });
    talk.ask('Q one\n', 1);
    talk.answer('A other\n', 2);
    talk.ask('!x\n', 3);
    expect(rig.finish()).toEqual([]);
    expect(rig.count('pairs_dropped_unconfirmed')).toBe(1);
    expectBalanced(rig);
  });

  test.each(['lost', 'not captured'])(
    'bytes %s while the protocol is unknown: what came before is forgotten',
    (how) => {
      const rig = createRig([line]);
      const talk = new Conversation(rig.source, 0);
      talk.ask('Q', 1);
      if (how === 'lost') talk.ask(' one\n', 2, true);
      else talk.move(0, '', 2, false, 5);
      talk.ask('Q two\n', 3);
      talk.answer('A two\n', 4);
      talk.close(5);
      expect(rig.finish().map(({ name }) => name)).toEqual(['ask two']);
      expectBalanced(rig);
    },
  );

  test('what was buffered of a connection that ended is not the next one’s', () => {
    const rig = createRig([line]);
    const short = new Conversation(rig.source, 0, { cookie: 1 });
    short.ask('Q', 1);
    short.close(2);
    rig.run();
    const next = new Conversation(rig.source, 0, { cookie: 2 });
    next.ask('Q two\n', 3);
    next.answer('A two\n', 4);
    expect(rig.finish().map(({ name }) => name)).toEqual(['ask two']);
    expectBalanced(rig);
  });

  test('client and server the other way round than the handshake said', () => {
    const rig = createRig([line]);
    const talk = new Conversation(rig.source, 0);
    talk.answer('Q one\n', 1);
    talk.ask('A one\n', 2);
    expect(rig.finish()[0]).toMatchObject({ kind: 'client', name: 'ask one' });
  });

  test('lost bytes: the gap is exact, nothing pairs across it', () => {
    const rig = createRig([line]);
    const talk = new Conversation(rig.source, 0);
    talk.ask('Q one\n', 1);
    talk.answer('A one\n', 2);
    talk.ask('Q two\n', 3);
    talk.answer('A two\n', 4, true);
    talk.ask('Q three\n', 5);
    talk.answer('A three\n', 6);
    talk.ask('Q four\n', 7);
    talk.answer('A four\n', 8);
    talk.close(9);
    expect(rig.finish().map(({ name }) => name)).toEqual(['ask one', 'ask four']);
    expect(rig.count('bytes_gap_lost')).toBe(6);
    expectBalanced(rig);
  });

  test('a lost request with patience: the next full request on has its span again', () => {
    const rig = createRig([line], { reorderMs: 5 });
    const talk = new Conversation(rig.source, 0);
    talk.ask('Q one\n', 1);
    talk.answer('A one\n', 2);
    talk.ask('Q two\n', 3, true);
    talk.answer('A two\n', 4);
    talk.ask('Q three\n', 5);
    talk.answer('A three\n', 6);
    rig.run();
    rig.pipeline.poll(performance.now() + 10);
    for (const [index, name] of ['four', 'five', 'six'].entries()) {
      talk.ask(`Q ${name}\n`, 10 + index * 2);
      talk.answer(`A ${name}\n`, 11 + index * 2);
    }
    const names = rig.finish().map(({ name }) => name);
    expect(names).toEqual(['ask one', 'ask three', 'ask four', 'ask five', 'ask six']);
    expectBalanced(rig);
  });

  test('the last answer is lost and the CLOSE tells of it', () => {
    const rig = createRig([line]);
    const talk = new Conversation(rig.source, 0);
    talk.ask('Q one\n', 1);
    talk.answer('A one\n', 2, true);
    talk.close(3);
    expect(rig.finish()).toEqual([]);
    expect(rig.count('bytes_gap_lost')).toBe(6);
    expect(rig.count('messages_dropped_desync')).toBe(1);
    expectBalanced(rig);
  });

  test('an answer whose end was lost has no latency: no span, and it is counted', () => {
    const rig = createRig(shipped);
    const talk = new Conversation(rig.source, 0);
    talk.ask(REQUEST, 100);
    talk.answer(RESPONSE.slice(0, -2), 200);
    talk.answer(RESPONSE.slice(-2), 300, true);
    talk.ask(REQUEST, 90_000);
    talk.answer(RESPONSE, 90_050);
    talk.close(90_100);
    const spans = rig.finish();
    expect(spans.map((span) => span.endTimeUnixNano - span.startTimeUnixNano)).toEqual([50n]);
    expect(rig.count('pairs_dropped_untimed')).toBe(1);
    expectBalanced(rig);
  });

  test('idle connections are ended only where a CLOSE may have been lost', () => {
    const rig = createRig([line]);
    const quiet = new Conversation(rig.source, 0);
    quiet.ask('Q one\n', 1);
    rig.run();
    rig.pipeline.sweep(performance.now() + 3_600_000, 600);
    expect(rig.count('connections_evicted')).toBe(0);
    quiet.close(2);
    rig.source.lose();
    new Conversation(rig.source, 1).ask('Q two\n', 3);
    rig.run();
    rig.pipeline.sweep(performance.now() + 3_600_000, 600);
    expect(rig.source.released).toContain(0);
    expectBalanced(rig);
  });

  test('more connections than the table began with', () => {
    const rig = createRig([line]);
    const talks = Array.from({ length: 1500 }, (_, slot) => new Conversation(rig.source, slot));
    for (const [index, talk] of talks.entries()) talk.ask(`Q ${index}\n`, index + 1);
    for (const talk of talks) talk.answer('A x\n', 5000);
    for (const talk of talks) talk.close(6000);
    const spans = rig.finish();
    expect(new Set(spans.map(({ name }) => name)).size).toBe(1500);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(1500);
    expect(rig.pipeline.connections.open).toBe(0);
    expectBalanced(rig);
  });

  test('batches of one span hold the longest attributes', () => {
    const rig = createRig([line], { batchSpans: 1 });
    const talk = new Conversation(rig.source, 0);
    const long = 'x'.repeat(2000);
    for (let i = 0; i < 3; i++) {
      talk.ask(`Q ${long}\n`, 1);
      talk.answer(`A ${long}\n`, 2);
    }
    for (const { attributes } of rig.finish()) {
      expect(attributes['rpc.method']).toBe(long);
      expect(attributes['rpc.reply']).toBe(long);
    }
    expect(rig.spans).toHaveLength(3);
  });
});

describe('a source that makes no sense', () => {
  test.each([
    ['a length below the header’s', { length: 8 }],
    ['a length beyond the batch', { length: 1 << 20 }],
    ['more captured than the record holds', { captured: 5000 }],
  ])('%s: counted, and the next batch is read', (_, { length, captured }: { length?: number; captured?: number }) => {
    const rig = createRig([line]);
    const bytes = createRecord({ kind: 0, slot: 0, payload: Buffer.from('Q one\n') });
    const view = new DataView(bytes.buffer);
    if (length !== undefined) view.setUint32(32, length, true);
    if (captured !== undefined) view.setUint32(36, captured, true);
    rig.source.pushRaw(bytes);
    rig.run();
    expect(rig.count('records_malformed')).toBe(1);
    const talk = new Conversation(rig.source, 1);
    talk.ask('Q one\n', 1);
    talk.answer('A one\n', 2);
    expect(rig.finish()).toHaveLength(1);
  });

  test.each([CONNECTIONS_MAX, 0x7fffffff, 0xffffffff])(
    'a record of slot %d: counted, and no connection is touched',
    (slot) => {
      const rig = createRig([line]);
      const talk = new Conversation(rig.source, 0);
      talk.ask('Q one\n', 1);
      for (const kind of [KIND_DATA, KIND_EOF, KIND_CLOSE]) {
        rig.source.push({ kind, slot, payload: Buffer.from('Q two\n'), flags: FLAG_ORIGIN_KNOWN });
      }
      rig.run();
      talk.answer('A one\n', 2);
      expect(rig.finish()).toHaveLength(1);
      expect(rig.count('records_malformed')).toBe(3);
      expect(rig.count('connections_opened')).toBe(1);
      expectBalanced(rig);
    },
  );

  test.each([3, 99])('a record of kind %d: counted, no connection begins', (kind) => {
    const rig = createRig([line]);
    rig.source.push({ kind, slot: 0 });
    rig.run();
    expect(rig.count('records_malformed')).toBe(1);
    expect(rig.count('connections_opened')).toBe(0);
    expectBalanced(rig);
  });
});
