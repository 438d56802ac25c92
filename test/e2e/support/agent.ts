/** The agent under test, with its counters, and spans kept or only counted. */
import { AgentProcess, type Span } from '../../../examples/demo/agent.ts';
import type { CounterId } from '../../../host/self/counters.ts';
import type { CounterName } from '../../../native/index.d.ts';

export type { Span } from '../../../examples/demo/agent.ts';

export interface Counters {
  readonly kernel: Readonly<Record<CounterName, number>>;
  readonly host: Readonly<Record<CounterId, number>>;
}

/** Starts `spanwire run` with these arguments; resolves when capture has begun. */
export function startAgent(
  args: readonly string[],
  onSpan: (span: Span) => void = () => {},
  environment: NodeJS.ProcessEnv = {},
): Promise<AgentProcess> {
  return AgentProcess.start([...args, '--log-level', 'debug'], onSpan, environment);
}

/** Stops the agent; throws when it did not end well. Returns all that it counted. */
export async function stopAgent(agent: AgentProcess): Promise<Counters> {
  const { code, signal } = await agent.stop();
  const counters = agent.logged('counters');
  if (code === 0 && counters !== undefined) return counters as unknown as Counters;
  throw new Error(`the agent ended with ${signal ?? `exit code ${code}`}: ${agent.says()}`);
}

/** Counts spans without keeping them. */
export class SpanCounts {
  readonly byKey = new Map<string, number>();
  readonly add: (span: Span) => void;

  constructor(keyOf: (span: Span) => string) {
    this.add = (span) => {
      const key = keyOf(span);
      this.byKey.set(key, (this.byKey.get(key) ?? 0) + 1);
    };
  }
}
