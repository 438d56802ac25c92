/**
 * What goes in equals what comes out plus what is counted: the equations of host/self/counters.ts, on an agent that
 * has ended, so that nothing waits anywhere any more.
 */
import type { Counters } from './agent.ts';

/** The equations that do not hold, with their numbers; none when all is well. */
export function accountingErrors({ kernel, host }: Counters): string[] {
  const dropped = (of: string) =>
    Object.entries(host).reduce((sum, [name, value]) => (name.startsWith(`${of}_dropped_`) ? sum + value : sum), 0);
  const equations: readonly (readonly [name: string, left: number, right: number])[] = [
    ['records tried = taken in + lost', kernel.records_tried, host.records_in + kernel.records_lost],
    ['bytes captured, kernel = host', kernel.bytes_captured, host.bytes_captured],
    ['bytes moved, kernel = host + lost', kernel.bytes_moved, host.bytes_moved + kernel.bytes_lost],
    [
      'messages = 2 × pairs + one-way + pushed + dropped',
      host.messages_in,
      2 * host.pairs + host.messages_oneway + host.messages_push + dropped('messages'),
    ],
    ['messages that wait = 0', host.messages_pending, 0],
    [
      'pairs + one-way = spans + unsampled + dropped',
      host.pairs + host.messages_oneway,
      host.spans_made + host.spans_unsampled + dropped('pairs'),
    ],
    ['pairs that wait = 0', host.pairs_held, 0],
    ['spans = exported + dropped', host.spans_made, host.spans_exported + dropped('spans')],
    ['spans that wait = 0', host.spans_queued, 0],
  ];
  return equations.flatMap(([name, left, right]) => (left === right ? [] : [`${name}: ${left} is not ${right}`]));
}
