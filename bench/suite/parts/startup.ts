/** From the start of the agent's process to "ready", and to the first span at an OTLP receiver. Needs eBPF. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startAgent } from '../../processes.ts';
import { renderTable } from '../../table.ts';
import type { Context } from '../context.ts';
import { withQuarters } from '../figures.ts';

const STARTS_MAX = 5;
/** Else a batch of one span waits for a second. */
const BATCH_MS = 10;
const REQUEST_EVERY_MS = 5;

export async function benchStartup(context: Context): Promise<void> {
  if (context.ring === 'memory') {
    context.note('startup: left out, the agent cannot start without BPF');
    return;
  }
  const ready: number[] = [];
  const first: number[] = [];
  const starts = Math.min(STARTS_MAX, context.effort.rounds);
  for (let start = 1; start <= starts; start++) {
    context.progress(`startup: ${start} of ${starts}`);
    const times = await startOnce();
    ready.push(times.readyMs);
    first.push(times.firstMs);
  }
  const row = [
    'run --open-port',
    withQuarters(context.figure('startup/ready', 'ms', ready)),
    withQuarters(context.figure('startup/first-span', 'ms', first)),
  ];
  context.table(
    `Start-up; batches wait ${BATCH_MS} ms here, and a request comes every ${REQUEST_EVERY_MS} ms`,
    renderTable([['', 'ready, ms', 'first span received, ms'], row]),
  );
}

async function startOnce(): Promise<{ readyMs: number; firstMs: number }> {
  const server = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const receiver = fork(new URL('../../null-receiver.ts', import.meta.url));
  const [receiverPort] = (await once(receiver, 'message')) as [number];
  const received = once(receiver, 'message').then(() => performance.now());
  const start = performance.now();
  const agent = await startAgent(port, `http://127.0.0.1:${receiverPort}`, ['--batch-timeout', String(BATCH_MS)]);
  const readyMs = performance.now() - start;
  const timer = setInterval(
    () => get({ port, agent: false }, (answer) => answer.resume()).on('error', () => {}),
    REQUEST_EVERY_MS,
  );
  try {
    return { readyMs, firstMs: (await received) - start };
  } finally {
    clearInterval(timer);
    await agent.stop();
    receiver.disconnect();
    server.closeAllConnections();
    server.close();
  }
}
