/**
 * What the agent takes of memory, live: idle, with many keep-alive connections to an nginx that had one request each,
 * after many requests over all of them, and while they are held and a few are active.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentProcess, memoryMiB, startAgent, startNginx } from './processes.ts';
import { progress, renderTable } from './table.ts';

const BODY_BYTES = 200;
const REQUEST = 'GET /bench HTTP/1.1\r\nhost: bench\r\nuser-agent: spanwire-bench\r\naccept: */*\r\n\r\n';
/** Requests at once, and connections that open at once: well below nginx's backlog. */
const AT_ONCE = 64;
/** nginx closes idle connections when it has few left. */
const NGINX_ROOM = 2;
/** While connections are held: so many requests a second. */
const HELD_PER_SECOND = 100;
/** Batches are exported and start-up's garbage is gone after this. */
const SETTLE_MS = 5000;

export interface MemoryOptions {
  readonly connections: number;
  readonly requests: number;
  readonly seconds: number;
  /** The compiled agent in dist/ instead of the source. */
  readonly dist?: boolean;
  readonly json?: boolean;
}

type Sample = ReturnType<typeof memoryMiB>;

export async function benchMemory(options: MemoryOptions): Promise<void> {
  const receiver = fork(new URL('./null-receiver.ts', import.meta.url));
  const [receiverPort] = (await once(receiver, 'message')) as [number];
  const nginx = await startNginx(BODY_BYTES, options.connections * NGINX_ROOM);
  const entry = options.dist ? 'dist/host/main.js' : 'host/main.ts';
  const agent = await startAgent(nginx.port, `http://127.0.0.1:${receiverPort}`, [], entry);
  try {
    const samples = await measure(agent, nginx.port, options);
    const result = { readyMs: agent.readyMs, samples, kernelMiB: mapsMiB(agent.pid), summary: await agent.stop() };
    process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : render(result));
  } finally {
    await agent.stop();
    await nginx.stop();
    receiver.disconnect();
  }
}

async function measure(agent: AgentProcess, port: number, { connections, requests, seconds }: MemoryOptions) {
  await sleep(SETTLE_MS);
  const samples: Record<string, Sample> = { idle: memoryMiB(agent.pid) };
  progress(`opening ${connections} connections`);
  const clients = await openAll(port, connections);
  await sleep(SETTLE_MS);
  samples[`${connections} live connections`] = memoryMiB(agent.pid);
  progress(`${requests} requests`);
  await requestAll(clients, requests);
  await sleep(SETTLE_MS);
  samples[`after ${requests} requests`] = memoryMiB(agent.pid);
  progress(`holding them for ${seconds} s`);
  samples[`most while held for ${seconds} s`] = await hold(agent, clients, seconds);
  for (const client of clients) client.close();
  return samples;
}

/** A few requests now and then; the largest sample. */
async function hold(agent: AgentProcess, clients: readonly Client[], seconds: number): Promise<Sample> {
  let most = memoryMiB(agent.pid);
  for (let second = 0; second < seconds; second++) {
    await requestAll(clients.slice((second * HELD_PER_SECOND) % clients.length), HELD_PER_SECOND);
    await sleep(1000);
    const sample = memoryMiB(agent.pid);
    if (sample.resident > most.resident) most = sample;
  }
  return most;
}

async function openAll(port: number, count: number): Promise<Client[]> {
  const clients: Client[] = [];
  await atOnce(count, async () => {
    const client = new Client(port);
    clients.push(client);
    await client.request();
  });
  return clients;
}

/** `count` requests over all clients in turn. */
function requestAll(clients: readonly Client[], count: number): Promise<void> {
  return atOnce(count, (n) => clients[n % clients.length]!.request());
}

async function atOnce(count: number, one: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const run = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, run));
}

/** One keep-alive connection. Whoever asks again before the response is there waits for its turn. */
class Client {
  readonly #socket: Socket;
  #turn: Promise<void> = Promise.resolve();
  #response = '';
  #asked = Promise.withResolvers<void>();

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1').setEncoding('latin1');
    this.#socket.on('data', (text: string) => this.#receive(text));
    this.#asked.promise.catch(() => {});
    this.#socket.on('error', (error) => this.#asked.reject(error));
    this.#socket.on('close', () => this.#asked.reject(new Error('nginx closed a connection')));
  }

  request(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#ask());
    return this.#turn;
  }

  /** By a reset: thousands of connections that linger would slow down whatever is measured next. */
  close(): void {
    this.#socket.resetAndDestroy();
  }

  async #ask(): Promise<void> {
    if (this.#socket.destroyed) throw new Error('nginx closed a connection');
    this.#asked = Promise.withResolvers();
    this.#socket.write(REQUEST);
    await this.#asked.promise;
  }

  #receive(text: string): void {
    this.#response += text;
    const head = this.#response.indexOf('\r\n\r\n');
    if (head < 0 || this.#response.length < head + 4 + BODY_BYTES) return;
    this.#response = '';
    this.#asked.resolve();
  }
}

/**
 * What the kernel holds for the agent's maps, by map type: rings, hashes, and of the storage on sockets its buckets (the
 * kernel does not count the elements, which live with the sockets).
 */
function mapsMiB(pid: number): Readonly<Record<string, number>> {
  const maps = new Map<string, string>();
  for (const descriptor of readdirSync(`/proc/${pid}/fdinfo`)) {
    const text = readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8');
    const id = field(text, 'map_id');
    if (id !== undefined) maps.set(id, text);
  }
  const sums: Record<string, number> = {};
  for (const text of maps.values()) {
    const type = MAP_TYPES[field(text, 'map_type')!] ?? 'other';
    sums[type] = (sums[type] ?? 0) + Number(field(text, 'memlock')) / 2 ** 20;
  }
  return sums;
}

/** enum bpf_map_type of linux/bpf.h. */
const MAP_TYPES: Readonly<Record<string, string>> = {
  1: 'hash',
  2: 'array',
  6: 'per-CPU array',
  9: 'LRU hash',
  24: 'socket storage',
  27: 'ring',
  29: 'task storage',
};

function field(text: string, name: string): string | undefined {
  return new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1];
}

interface Result {
  readonly readyMs: number;
  readonly samples: Readonly<Record<string, Sample>>;
  readonly kernelMiB: Readonly<Record<string, number>>;
  readonly summary: string;
}

function render({ readyMs, samples, kernelMiB, summary }: Result): string {
  const rows = Object.entries(samples).map(([name, { resident, anonymous, file, shared }]) => [
    name,
    ...[resident, anonymous, file, shared].map((value) => value.toFixed(1)),
  ]);
  const kernel = Object.entries(kernelMiB).map(([type, value]) => `${type} ${value.toFixed(1)}`);
  return `${renderTable([['MiB', 'resident', 'anonymous', 'of files', 'shared'], ...rows])}
kernel maps, MiB: ${kernel.join(', ')}
ready after ${readyMs.toFixed(0)} ms
${summary}
`;
}
