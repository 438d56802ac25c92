/** Spans of a server's port while some work is done, from an agent that lost nothing and counted everything. */
import { expect } from 'vitest';
import { accountingErrors } from './accounting.ts';
import { type Counters, type Span, startAgent, stopAgent } from './agent.ts';

export interface Watched {
  readonly spans: Span[];
  readonly counters: Counters;
}

/** Client and server spans: a client in a process with a watched port is watched, too. `work` sees them as they come. */
export async function watch(
  port: number,
  work: (spans: readonly Span[]) => Promise<void>,
  args: readonly string[] = ['--payload', '16KiB'],
): Promise<Watched> {
  const spans: Span[] = [];
  const agent = await startAgent(['--open-port', String(port), '--printer', 'json', ...args], (span) =>
    spans.push(span),
  );
  try {
    await work(spans);
  } catch (error) {
    await agent.stop();
    throw error;
  }
  const counters = await stopAgent(agent);
  expect(counters.kernel.bytes_lost).toBe(0);
  expect(accountingErrors(counters)).toEqual([]);
  return { spans, counters };
}
