/**
 * Redis through real eBPF, with `ioredis`, in RESP2 and RESP3: each command is one span on either side, in the order in
 * which the client sent them, with its database, version, type of reply and error; what comes unasked is no span.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { freePorts } from '../../examples/demo/programs.ts';
import { RedisClient } from '../../examples/demo/redis-client.ts';
import { type RunningServer, startRedis } from '../../examples/demo/servers.ts';
import { until } from '../export/fixtures.ts';
import type { Span } from './support/agent.ts';
import { describeLive } from './support/live.ts';
import { type Watched, watch } from './support/watch.ts';

const REPLY_TYPE = 'redis.reply.type';
const PIPELINED = 200;
const PROTOCOLS = [2, 3] as const;
const SECRET = 'a secret';

interface Outcome {
  readonly error?: string;
  readonly database?: number;
}

/** `GET ? → bulk_string, database 0, RESP3`, from the client's side. */
function said(protocol: number, text: string, reply: string, { error = '', database = 0 }: Outcome = {}): string {
  return `${text} → ${reply} ${error}, database ${database}, RESP${protocol}`;
}

/** The same of a span. What a connection speaks before HELLO is not in it: then it is 2. */
function ofSpan({ name, status, attributes }: Span): string {
  const text = String(attributes['db.query.text']);
  const operation = text.replace(/( \?)*( \.\.\.)?$/, '');
  if (name !== operation || attributes['db.operation.name'] !== operation) return `${name} is not ${operation}`;
  const code = attributes['db.response.status_code'] ?? '';
  if ((status === 'error') !== (code !== '') || attributes['error.type'] !== (code || undefined))
    return `${name} ${code}?`;
  const version = attributes['network.protocol.version'] ?? 2;
  return `${text} → ${attributes[REPLY_TYPE] ?? ''} ${code}, database ${attributes['db.namespace']}, RESP${version}`;
}

await describeLive('redis with ioredis', () => {
  let redis: RunningServer;

  beforeAll(async () => {
    const [port] = (await freePorts(1)) as [number];
    redis = await startRedis(port);
  });

  afterAll(() => redis?.[Symbol.asyncDispose]());

  beforeEach(async () => {
    const client = new RedisClient(redis.port);
    await client.send('FLUSHALL');
    client.close();
  });

  function open(protocol: 2 | 3): Redis {
    const quiet = { enableReadyCheck: false, disableClientInfo: true, lazyConnect: true };
    return new Redis(redis.port, '127.0.0.1', { protocol, ...quiet });
  }

  /** Both sides: the server and this process. */
  function bothSides(work: () => Promise<unknown>): Promise<Watched> {
    const args = ['--attributes', REPLY_TYPE, '--payload', '16KiB'];
    return watch(redis.port, work, { protocol: 'redis', pids: [process.pid], args });
  }

  function expectCommands({ server, client, counters }: Watched, expected: readonly string[], pushes = 0): void {
    expect(server.map(ofSpan)).toEqual(expected);
    expect(client.map(ofSpan)).toEqual(expected);
    expect(counters.host.messages_push).toBe(2 * pushes);
  }

  /** What ioredis says before anything else; the answer is in the version that was there before. */
  const greeting = (protocol: 2 | 3): string[] => (protocol === 3 ? [said(2, 'HELLO ?', 'map')] : []);

  test.each(PROTOCOLS)('RESP%d: replies of every type, errors, databases', async (protocol) => {
    const isThree = protocol === 3;
    const seen = await bothSides(async () => {
      const client = open(protocol);
      await client.connect();
      await client.set('text', SECRET);
      await client.get('text');
      await client.get('nothing');
      await client.incr('number');
      await expect(client.incr('text')).rejects.toThrow('not an integer');
      await expect(client.lpush('text', 'x')).rejects.toThrow('WRONGTYPE');
      await client.hset('hash', { field: SECRET, other: '*1\r\n$4\r\nPING\r\n' });
      await client.hgetall('hash');
      await client.sadd('set', 'x', 'y');
      await client.smembers('set');
      await client.zadd('scores', 1.5, 'x');
      await client.zscore('scores', 'x');
      await client.blpop('empty', 0.01);
      await client.call('OBJECT', 'ENCODING', 'text');
      await client.select(5);
      await client.set('long', 'x'.repeat(100_000));
      await client.get('long');
      await expect(client.select(999)).rejects.toThrow('out of range');
      await expect(client.call('NOSUCH', SECRET)).rejects.toThrow('unknown command');
      await expect(client.evalsha('0'.repeat(40), 0)).rejects.toThrow('NOSCRIPT');
      await expect(client.call('AUTH', SECRET)).rejects.toThrow('AUTH');
      await client.config('SET', 'requirepass', '');
      await client.acl('SETUSER', 'someone', `>${SECRET}`);
      await client.del(...Array.from({ length: 20 }, (_, n) => `key ${n}`));
      await client.quit();
    });
    const five = { database: 5 };
    expectCommands(seen, [
      ...greeting(protocol),
      said(protocol, 'SET ? ?', 'simple_string'),
      said(protocol, 'GET ?', 'bulk_string'),
      said(protocol, 'GET ?', 'null'),
      said(protocol, 'INCR ?', 'integer'),
      said(protocol, 'INCR ?', 'error', { error: 'ERR' }),
      said(protocol, 'LPUSH ? ?', 'error', { error: 'WRONGTYPE' }),
      said(protocol, 'HSET ? ? ? ? ?', 'integer'),
      said(protocol, 'HGETALL ?', isThree ? 'map' : 'array'),
      said(protocol, 'SADD ? ? ?', 'integer'),
      said(protocol, 'SMEMBERS ?', isThree ? 'set' : 'array'),
      said(protocol, 'ZADD ? ? ?', 'integer'),
      said(protocol, 'ZSCORE ? ?', isThree ? 'double' : 'bulk_string'),
      said(protocol, 'BLPOP ? ?', 'null'),
      said(protocol, 'OBJECT ENCODING ?', 'bulk_string'),
      said(protocol, 'SELECT ?', 'simple_string'),
      said(protocol, 'SET ? ?', 'simple_string', five),
      said(protocol, 'GET ?', 'bulk_string', five),
      said(protocol, 'SELECT ?', 'error', { error: 'ERR', ...five }),
      said(protocol, 'NOSUCH ?', 'error', { error: 'ERR', ...five }),
      said(protocol, 'EVALSHA ? ?', 'error', { error: 'NOSCRIPT', ...five }),
      said(protocol, 'AUTH ?', 'error', { error: 'ERR', ...five }),
      said(protocol, 'CONFIG SET ? ?', 'simple_string', five),
      said(protocol, 'ACL SETUSER ? ?', 'simple_string', five),
      said(protocol, `DEL${' ?'.repeat(16)} ...`, 'integer', five),
      said(protocol, 'QUIT', 'simple_string', five),
    ]);
    expect(JSON.stringify([seen.server, seen.client])).not.toContain(SECRET);
  });

  test.each(PROTOCOLS)(
    'RESP%d: pipelines, and transactions that go through, fail and are given up',
    async (protocol) => {
      const numbers = Array.from({ length: PIPELINED }, (_, n) => n);
      const seen = await bothSides(async () => {
        const client = open(protocol);
        await client.connect();
        const pipeline = client.pipeline().del('list', 'counter').rpush('list', 'a');
        for (const n of numbers)
          n % 3 === 0 ? pipeline.incr('list') : n % 3 === 1 ? pipeline.incr('counter') : pipeline.get('no');
        await pipeline.exec();
        await client.multi().incr('counter').incr('list').get('counter').exec();
        await client.multi({ pipeline: false });
        await client.incr('counter');
        await client.discard();
        await client.multi({ pipeline: false });
        await expect(client.call('NOSUCH')).rejects.toThrow();
        await expect(client.exec()).rejects.toThrow('EXECABORT');
        // Without waiting, each in a call of its own: what ioredis does when it is not told to batch.
        await Promise.allSettled(numbers.map((n) => (n % 2 === 0 ? client.incr('list') : client.get('counter'))));
        client.disconnect();
      });
      const failed = said(protocol, 'INCR ?', 'error', { error: 'WRONGTYPE' });
      const counts = said(protocol, 'INCR ?', 'integer');
      const queued = (text: string) => said(protocol, text, 'simple_string');
      expectCommands(seen, [
        ...greeting(protocol),
        said(protocol, 'DEL ? ?', 'integer'),
        said(protocol, 'RPUSH ? ?', 'integer'),
        ...numbers.map((n) => [failed, counts, said(protocol, 'GET ?', 'null')][n % 3]!),
        ...['MULTI', 'INCR ?', 'INCR ?', 'GET ?'].map(queued),
        said(protocol, 'EXEC', 'array'),
        ...['MULTI', 'INCR ?', 'DISCARD', 'MULTI'].map(queued),
        said(protocol, 'NOSUCH', 'error', { error: 'ERR' }),
        said(protocol, 'EXEC', 'error', { error: 'EXECABORT' }),
        ...numbers.map((n) => (n % 2 === 0 ? failed : said(protocol, 'GET ?', 'bulk_string'))),
      ]);
    },
  );

  test.each(PROTOCOLS)(
    'RESP%d: what is published to a subscriber is a span of the publisher only',
    async (protocol) => {
      const MESSAGES = 50;
      const publisher = open(protocol);
      const subscriber = open(protocol);
      const seen = await bothSides(async () => {
        await subscriber.connect();
        const received: string[] = [];
        subscriber.on('message', (channel, text) => received.push(`${channel}: ${text}`));
        subscriber.on('pmessage', (pattern, _, text) => received.push(`${pattern}: ${text}`));
        await subscriber.subscribe('one', 'two', 'three');
        await subscriber.psubscribe('o*');
        await publisher.connect();
        for (let n = 0; n < MESSAGES; n++) await publisher.publish('one', SECRET);
        await until(() => received.length === 2 * MESSAGES, 'all messages');
        await subscriber.ping();
        await subscriber.punsubscribe('o*');
        await subscriber.unsubscribe();
        await subscriber.get('nothing');
        subscriber.disconnect();
        publisher.disconnect();
      });
      const confirmation = protocol === 3 ? 'push' : 'array';
      const ofSubscriber = [
        ...greeting(protocol),
        said(protocol, 'SUBSCRIBE ? ? ?', confirmation),
        said(protocol, 'PSUBSCRIBE ?', confirmation),
        said(protocol, 'PING', protocol === 3 ? 'simple_string' : 'array'),
        said(protocol, 'PUNSUBSCRIBE ?', confirmation),
        said(protocol, 'UNSUBSCRIBE', confirmation),
        said(protocol, 'GET ?', 'null'),
      ];
      const ofPublisher = [...greeting(protocol), ...Array(MESSAGES).fill(said(protocol, 'PUBLISH ? ?', 'integer'))];
      for (const spans of [seen.server, seen.client]) {
        const lines = spans.map(ofSpan);
        expect(lines.toSorted()).toEqual([...ofSubscriber, ...ofPublisher].toSorted());
      }
      // The second and third confirmation of each (UN)SUBSCRIBE, and each message twice.
      expect(seen.counters.host.messages_push).toBe(2 * (2 + 2 + 2 * MESSAGES));
    },
  );

  test('MONITOR and CLIENT REPLY: what is not answered is a span of its own', async () => {
    const seen = await bothSides(async () => {
      const socket = connect(redis.port, '127.0.0.1');
      let received = '';
      socket.on('data', (bytes) => (received += bytes));
      const say = async (text: string, isEnough: () => boolean) => {
        socket.write(text);
        await until(isEnough, `the answer to ${text}`);
      };
      await say('PING\r\n', () => received === '+PONG\r\n');
      await say('CLIENT REPLY OFF\r\nSET k v\r\nCLIENT REPLY ON\r\n', () => received.endsWith('+OK\r\n'));
      await say('CLIENT REPLY SKIP\r\nSET k v\r\nGET k\r\n', () => received.endsWith('v\r\n'));
      await say('MONITOR\r\n', () => received.endsWith('+OK\r\n'));
      await say('PING\r\n', () => /\+PONG\r\n.*"PING"\r\n$|"PING"\r\n\+PONG\r\n$/.test(received));
      socket.destroy();
      await once(socket, 'close');
    });
    const unanswered = ['CLIENT REPLY ?', 'SET ? ?'].map((text) => said(2, text, ''));
    const client = said(2, 'CLIENT REPLY ?', 'simple_string');
    expect(seen.server.map(ofSpan)).toEqual([
      said(2, 'PING', 'simple_string'),
      ...unanswered,
      client,
      ...unanswered,
      said(2, 'GET ?', 'bulk_string'),
      said(2, 'MONITOR', 'simple_string'),
      said(2, 'PING', 'simple_string'),
    ]);
    expect(seen.client.map(ofSpan)).toEqual(seen.server.map(ofSpan));
    expect(seen.counters.host.messages_push).toBe(2);
  });
});
