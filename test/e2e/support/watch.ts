/** The agent beside some work: what it saw of a protocol, by side. Nothing may be lost, and everything is accounted for. */
import { expect } from 'vitest';
import { accountingErrors } from './accounting.ts';
import { type Counters, type Span, startAgent, stopAgent } from './agent.ts';

export interface Watched {
  /** In the order in which they ended. */
  readonly client: readonly Span[];
  readonly server: readonly Span[];
  readonly counters: Counters;
}

/** Watches the server that listens on `port` and, with their children, the processes `pids`. */
export async function watch(
  protocol: string,
  port: number,
  work: () => Promise<unknown>,
  { pids = [], args = [] }: { pids?: readonly number[]; args?: readonly string[] } = {},
): Promise<Watched> {
  const spans: Span[] = [];
  const selected = ['--open-port', String(port), ...pids.flatMap((pid) => ['--pid', String(pid)])];
  await using agent = await startAgent([...selected, '--printer', 'json', '--queue', '1000000', ...args], (span) => {
    if (span.protocol === protocol) spans.push(span);
  });
  await work();
  const counters = await stopAgent(agent);
  expect(accountingErrors(counters)).toEqual([]);
  expect(counters.kernel).toMatchObject({ records_lost: 0, bytes_lost: 0 });
  expect(counters.host).toMatchObject({ bytes_gap_lost: 0, spans_dropped_queue_full: 0 });
  const of = (side: string) => spans.filter(({ kind }) => kind === side);
  return { client: of('client'), server: of('server'), counters };
}
