/** The agent beside some work: what it saw of a port. Nothing may be lost, and everything is accounted for. */
import { expect } from 'vitest';
import { accountingErrors } from './accounting.ts';
import { type Counters, type Span, startAgent, stopAgent } from './agent.ts';

export interface Watched {
  /** In the order in which they ended. */
  readonly spans: readonly Span[];
  readonly client: readonly Span[];
  readonly server: readonly Span[];
  readonly counters: Counters;
}

export interface WatchOptions {
  /** Spans of any other are left out. */
  readonly protocol?: string;
  /** Processes watched beside the server, with their children. */
  readonly pids?: readonly number[];
  readonly args?: readonly string[];
}

/** Watches the server that listens on `port` while `work` is done, which sees the spans as they come. */
export async function watch(
  port: number,
  work: (spans: readonly Span[]) => Promise<unknown>,
  { protocol, pids = [], args = [] }: WatchOptions = {},
): Promise<Watched> {
  const spans: Span[] = [];
  const selected = ['--open-port', String(port), ...pids.flatMap((pid) => ['--pid', String(pid)])];
  await using agent = await startAgent([...selected, '--printer', 'json', '--queue', '1000000', ...args], (span) => {
    if (protocol === undefined || span.protocol === protocol) spans.push(span);
  });
  await work(spans);
  const counters = await stopAgent(agent);
  expect(accountingErrors(counters)).toEqual([]);
  expect(counters.kernel).toMatchObject({ records_lost: 0, bytes_lost: 0 });
  expect(counters.host).toMatchObject({ bytes_gap_lost: 0, spans_dropped_queue_full: 0 });
  const of = (side: string) => spans.filter(({ kind }) => kind === side);
  return { spans, client: of('client'), server: of('server'), counters };
}

/** The same with 16 KiB captured of each call, for protocols whose heads may stand behind bodies in one call. */
export function watchLarge(
  port: number,
  work: (spans: readonly Span[]) => Promise<unknown>,
  args: readonly string[] = [],
): Promise<Watched> {
  return watch(port, work, { args: ['--payload', '16KiB', ...args] });
}
