/**
 * Memory for each connection: a process with many connections against one with few, by three kinds of silence. What the
 * feeder itself keeps is taken off; the addon's table of connections is counted.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Step } from '../../../host/modules/trial/steps.ts';
import { WORKER_LIMITS } from '../../../host/workers.ts';
import { FROM_CLIENT } from '../../../parsers/sdk/abi.ts';
import { openTraffic, step } from '../../parser-traffic.ts';
import { renderTable } from '../../table.ts';
import type { Context } from '../context.ts';
import type { Conversation } from '../conversations/conversation.ts';
import { short } from '../figures.ts';
import type { MemoryInput, MemoryReport } from '../memory-run.ts';

const MANY = 100_000;
/** Enough that all that is compiled and taken once is there already. */
const FEW = 10_000;
/** Of class Conversations in bench/reference, for each connection. */
const FEEDER_BYTES = 32;
/** A young generation is two of these and as much again for what is new and large. */
const SEMI_SPACE_MB = WORKER_LIMITS.maxYoungGenerationSizeMb / 3;
const MIB = 1024 * 1024;

const KINDS: Readonly<
  Record<string, { readonly says: string; readonly pairs: number; readonly steps: readonly Step[] }>
> = {
  idle: { says: 'silent after a first byte', pairs: 0, steps: [step(FROM_CLIENT, Buffer.from('G'))] },
  exchanged: { says: 'one HTTP exchange, then silent', pairs: 1, steps: openTraffic('http1').lap.slice(0, 2) },
  asked: { says: 'a request waits for its answer', pairs: 0, steps: openTraffic('http1').lap.slice(0, 1) },
};

export async function benchMemory(context: Context): Promise<void> {
  const bytesPerConnection: Record<string, number> = {};
  const rows: string[][] = [];
  for (const [kind, { says, pairs, steps }] of Object.entries(KINDS)) {
    context.progress(`memory/${kind}`);
    const conversation: Conversation = { port: 80, opening: [], lap: [{ calls: steps, pairs }] };
    const few = await measure({ ring: context.ring, connections: FEW, conversation }, pairs);
    const many = await measure({ ring: context.ring, connections: MANY, conversation }, pairs);
    const each = (many.anonymous - few.anonymous) / (MANY - FEW) - FEEDER_BYTES;
    context.figure(`memory/${kind}/each`, 'B/connection', [each]);
    context.figure(`memory/${kind}/resident`, 'MiB', [many.resident / MIB]);
    bytesPerConnection[kind] = each;
    rows.push([says, short(each), short(few.resident / MIB), short(many.resident / MIB)]);
  }
  context.headline.bytesPerConnection = bytesPerConnection;
  const head = ['', 'B/connection', `MiB at ${FEW}`, `MiB at ${MANY}`];
  context.table('Memory of user space, HTTP/1, one pipeline in a process of its own', renderTable([head, ...rows]));
}

async function measure(input: MemoryInput, pairs: number): Promise<MemoryReport> {
  const child = fork(new URL('../memory-run.ts', import.meta.url), {
    execArgv: [`--max-semi-space-size=${SEMI_SPACE_MB}`],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`memory: the process ended with ${code}`);
  });
  child.send(input);
  const [report] = (await Promise.race([once(child, 'message'), ended])) as [MemoryReport];
  ended.catch(() => {});
  const { opened, pairs: made } = report;
  if (opened !== input.connections || made !== pairs * input.connections) {
    throw new Error(`memory: ${opened} connections and ${made} pairs of ${input.connections}`);
  }
  return report;
}
