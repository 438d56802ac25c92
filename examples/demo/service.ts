/**
 * The service of the demo: the items of a small shop over HTTP, kept in Redis. Nothing in it knows of tracing: what
 * the demo shows of it comes from its sockets.
 *
 *   node service.ts PORT REDIS-PORT
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisClient } from './redis-client.ts';

const [port, redisPort] = process.argv.slice(2).map(Number);
const redis = new RedisClient(redisPort!);

const SEEDED_ITEMS = 20;
const NAME_MAX = 80;
const REPORT_PARTS = 5;
const REPORT_PAUSE_MS = 4;
const SLOW_MS = 60;

type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void>;

const routes: readonly (readonly [method: RegExp, path: RegExp, handler: Handler])[] = [
  [/^GET$/, /^\/items$/, listItems],
  [/^POST$/, /^\/items$/, addItem],
  [/^(GET|HEAD)$/, /^\/items\/[\w-]+$/, showItem],
  [/^DELETE$/, /^\/items\/[\w-]+$/, removeItem],
  [/^GET$/, /^\/report$/, report],
  [/^GET$/, /^\/slow$/, answerSlowly],
  [/^GET$/, /^\/broken$/, failInRedis],
];

/** The newest items; their names are asked for in one pipeline. */
async function listItems(_request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const limit = Number(url.searchParams.get('limit') ?? 10);
  const ids = (await redis.send('LRANGE', 'items', 0, limit - 1)) as string[];
  const names = await Promise.all(ids.map((id) => redis.send('HGET', `item:${id}`, 'name')));
  reply(
    response,
    200,
    ids.map((id, i) => ({ id, name: names[i] })),
  );
}

async function addItem(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { name, price } = JSON.parse(await body(request)) as { name: string; price: number };
  const id = (await redis.send('INCR', 'item-ids')) as number;
  await storeItem(id, name.slice(0, NAME_MAX), price);
  response.setHeader('location', `/items/${id}`);
  reply(response, 201, { id, name, price });
}

async function showItem(_request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const fields = (await redis.send('HGETALL', keyOf(url))) as string[];
  if (fields.length === 0) return reply(response, 404, { error: 'no such item' });
  reply(response, 200, { name: fields[1], price: Number(fields[3]) });
}

async function removeItem(_request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const removed = await redis.send('DEL', keyOf(url));
  if (removed === 0) return reply(response, 404, { error: 'no such item' });
  response.writeHead(204).end();
}

/** Of unknown length when it begins: goes out in chunks. */
async function report(_request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/plain' });
  for (let part = 1; part <= REPORT_PARTS; part++) {
    response.write(`part ${part}: ${await redis.send('LLEN', 'items')} items\n`);
    await sleep(REPORT_PAUSE_MS);
  }
  response.end();
}

async function answerSlowly(_request: IncomingMessage, response: ServerResponse): Promise<void> {
  await sleep(SLOW_MS);
  reply(response, 200, { waitedMs: SLOW_MS });
}

/** Counts up what is a list: Redis refuses, and so the request fails. */
async function failInRedis(_request: IncomingMessage, response: ServerResponse): Promise<void> {
  reply(response, 200, await redis.send('INCR', 'items'));
}

async function storeItem(id: number, name: string, price: number): Promise<void> {
  await Promise.all([
    redis.send('HSET', `item:${id}`, 'name', name, 'price', price),
    redis.send('LPUSH', 'items', id),
    redis.send('LTRIM', 'items', 0, 99),
  ]);
}

function keyOf(url: URL): string {
  return `item:${url.pathname.split('/')[2]}`;
}

async function body(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}

function reply(response: ServerResponse, status: number, value: unknown): void {
  const text = `${JSON.stringify(value)}\n`;
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url!, 'http://service');
  const route = routes.find(([method, path]) => method.test(request.method!) && path.test(url.pathname));
  try {
    if (route === undefined) reply(response, 404, { error: 'no such page' });
    else await route[2](request, response, url);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else reply(response, error instanceof SyntaxError ? 400 : 500, { error: (error as Error).message });
  }
}

await Promise.all(Array.from({ length: SEEDED_ITEMS }, (_, i) => storeItem(i + 1, `item ${i + 1}`, 100 + i)));
await redis.send('SET', 'item-ids', SEEDED_ITEMS);
createServer(handle).listen(port, '127.0.0.1');
