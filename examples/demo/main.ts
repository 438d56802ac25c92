/**
 * The demo: nginx → a Node service → Redis on loopback, watched by the agent with real eBPF, then what it saw.
 * It checks itself: nginx must have as many HTTP server spans as requests were sent. Exit code 0, or 1 with a reason.
 *
 *   node examples/demo/main.ts            live; from the recorded capture where the kernel refuses eBPF
 *   node examples/demo/main.ts --replay   from the recorded capture
 *   node examples/demo/main.ts --record   makes the capture anew (needs dumpcap)
 */
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { AgentProcess, AgentRefused, type Span } from './agent.ts';
import {
  CAPTURE,
  RECORDED_PORTS,
  RECORDED_ROUNDS,
  recordedServiceOf,
  replayCapture,
  startRecording,
} from './capture.ts';
import { endAll, freePorts } from './programs.ts';
import { reverseProxy, startNginx, startRedis, startService } from './servers.ts';
import { spanTable } from './table.ts';
import { exampleTraces, type ServiceOf, singleSpans } from './traces.ts';
import { REQUESTS_OF_ROUND, sendTraffic } from './traffic.ts';

const ROUNDS = 10;
const LOGO =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 5h2l2-4 2 7 1-3h2"/></svg>\n'.repeat(90);

interface Ports {
  readonly nginx: number;
  readonly service: number;
  readonly redis: number;
}

/** Everything that is to be ended, in the order in which it began. */
const stack = new AsyncDisposableStack();

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { replay: { type: 'boolean' }, record: { type: 'boolean' } } });
  if (values.record) await record();
  else if (values.replay) await showReplay();
  else {
    try {
      await showLive();
    } catch (error) {
      if (!(error instanceof AgentRefused)) throw error;
      say(`eBPF is refused here; the agent's words:\n\n${error.message.replace(/^/gm, '  ')}\n`);
      say('so the same from a capture that was recorded elsewhere');
      await showReplay();
    }
  }
}

async function showLive(): Promise<void> {
  const [nginx, service, redis] = (await freePorts(3)) as [number, number, number];
  await startServers({ nginx, service, redis });
  const spans: Span[] = [];
  const args = ['--open-port', `${nginx},${service},${redis}`, '--printer', 'json'];
  say('starting the agent');
  const agent = stack.use(await AgentProcess.start(args, (span) => spans.push(span)));
  const cpuBefore = agent.cpuMs();
  say(`sending ${ROUNDS * REQUESTS_OF_ROUND} requests`);
  const requests = await sendTraffic(nginx, ROUNDS);
  const cpuMs = agent.cpuMs() - cpuBefore;
  say('stopping the agent');
  const { code } = await agent.stop();
  if (code !== 0) throw new Error(`the agent ended with exit code ${code}: ${agent.says()}`);
  const lost = agent.logged('stopped')?.bytes_lost;
  show(spans, (span) => String(span.resource['service.name']));
  print(
    `${requests} requests sent, ${spans.length} spans, ${lost} bytes lost, ` +
      `agent CPU ${cpuMs} ms (${Math.round((cpuMs * 1000) / requests)} µs per request)`,
  );
  check(spans, requests, (span) => span.resource['service.name'] === 'nginx');
}

async function showReplay(): Promise<void> {
  say(`replaying ${relative(process.cwd(), CAPTURE)}`);
  const spans = await replayCapture();
  const requests = RECORDED_ROUNDS * REQUESTS_OF_ROUND;
  show(spans, recordedServiceOf);
  print(`${requests} requests recorded, ${spans.length} spans (a capture shows each exchange once, as its server's)`);
  check(spans, requests, (span) => recordedServiceOf(span) === 'nginx');
}

async function record(): Promise<void> {
  await startServers(RECORDED_PORTS);
  {
    await using _recording = await startRecording();
    say(`recording ${await sendTraffic(RECORDED_PORTS.nginx, RECORDED_ROUNDS)} requests`);
  }
  await stack.disposeAsync();
  await showReplay();
}

async function startServers({ nginx, service, redis }: Ports): Promise<void> {
  say('starting redis, the service and nginx');
  stack.use(await startRedis(redis));
  stack.use(await startService(service, redis));
  stack.use(await startNginx({ port: nginx, http: reverseProxy(nginx, service), files: { 'logo.svg': LOGO } }));
}

function show(spans: readonly Span[], serviceOf: ServiceOf): void {
  print('', 'Requests of callers that trace, and what they led to', '', ...exampleTraces(spans, serviceOf));
  print('Spans without a trace context on the wire', '', ...singleSpans(spans, serviceOf));
  print('All spans', '', ...spanTable(spans, serviceOf), '');
}

function check(spans: readonly Span[], requests: number, isNginx: (span: Span) => boolean): void {
  const seen = spans.filter((span) => isNginx(span) && span.kind === 'server' && span.protocol === 'http').length;
  if (seen !== requests) throw new Error(`nginx answered ${requests} requests, but has ${seen} server spans`);
}

function print(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}

function say(text: string): void {
  process.stderr.write(`demo: ${text}\n`);
}

let ending: Promise<never> | undefined;

/** Ends everything, then this process. The first reason counts: others follow from it. */
function end(reason: string): Promise<never> {
  ending ??= (async () => {
    say(reason);
    // The reason is given already; what goes wrong from here on changes nothing.
    await stack.disposeAsync().catch(() => {});
    await endAll();
    process.exit(1);
  })();
  return ending;
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => end(`ended by ${signal}`));
process.stdout.once('error', (error) => end(`failed: cannot print: ${error.message}`));
try {
  await main();
  await stack.disposeAsync();
} catch (error) {
  await end(`failed: ${(error as Error).message}`);
}
