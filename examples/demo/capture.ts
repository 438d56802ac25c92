/** The recorded run: its ports, how it is made (`--record`) and how its spans are got (`spanwire replay`). */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AgentProcess, type Span } from './agent.ts';
import { Program } from './programs.ts';

export const CAPTURE = fileURLToPath(new URL('capture.pcap', import.meta.url));
/** Rounds of traffic in the capture: one keeps it small. */
export const RECORDED_ROUNDS = 1;
/** Where the programs listen while the capture is made. A capture knows ports only, no processes. */
export const RECORDED_PORTS = { nginx: 8080, service: 3000, redis: 6379 } as const;

const SERVICE_OF_PORT: Readonly<Record<number, string>> = {
  [RECORDED_PORTS.nginx]: 'nginx',
  [RECORDED_PORTS.service]: 'node',
  [RECORDED_PORTS.redis]: 'redis-server',
};

export function recordedServiceOf({ attributes }: Span): string {
  return SERVICE_OF_PORT[Number(attributes['server.port'])] ?? 'unknown';
}

/** dumpcap takes packets from the kernel by the block, and a block waits to fill. */
const SETTLE_MS = 1500;

/** Starts to record the three ports; dispose of it to end the recording. Needs dumpcap, of Wireshark. */
export async function startRecording(): Promise<AsyncDisposable> {
  const filter = Object.values(RECORDED_PORTS)
    .map((port) => `tcp port ${port}`)
    .join(' or ');
  const args = ['-i', 'lo', '-f', filter, '-P', '-q', '-w', CAPTURE];
  const recorder = new Program('dumpcap', 'dumpcap', args);
  const lines = createInterface({ input: recorder.child.stderr! });
  const begun = new Promise<string>((resolve) => lines.on('line', (line) => line.startsWith('File:') && resolve('')));
  const failed = recorder.exited.then(() => `dumpcap ended: ${recorder.words}`);
  const failure = await Promise.race([begun, failed]);
  if (failure !== '') throw new Error(failure);
  await sleep(SETTLE_MS);
  const stop = async () => {
    await sleep(SETTLE_MS);
    await recorder.stop('SIGINT');
  };
  return { [Symbol.asyncDispose]: stop };
}

export async function replayCapture(): Promise<Span[]> {
  const spans: Span[] = [];
  await using agent = new AgentProcess(['replay', CAPTURE, '--printer', 'json'], (span) => spans.push(span));
  const { code } = await agent.finished();
  if (code !== 0) throw new Error(`replay failed: ${agent.says()}`);
  return spans;
}
