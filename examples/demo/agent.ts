/**
 * The agent as a user runs it: `spanwire run … --printer json`, one span a line on standard output, its log on
 * standard error.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Attributes } from '../../host/spans/span.ts';
import { type Exit, Program } from './programs.ts';

/** A line of `--printer json`. */
export interface Span {
  readonly name: string;
  readonly kind: string;
  readonly protocol: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  /** Nanoseconds since 1970, as text: they exceed what a number holds. */
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: 'unset' | 'ok' | 'error';
  readonly attributes: Readonly<Attributes>;
  readonly resource: Readonly<Attributes>;
}

/** A line of the agent's log; `msg` says what happened, the other fields with what. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

/** The kernel does not let the agent in: not a fault of the agent. */
export class AgentRefused extends Error {
  override readonly name = 'AgentRefused';
}

const MAIN = fileURLToPath(new URL('../../host/main.ts', import.meta.url));
const READY_MS = 30_000;
const GARBAGE_SHOWN = 200;
const LOG_LINES_MAX = 20_000;
/** Longer than the agent's own deadline for exporting what is left. */
const STOP_MS = 20_000;
/** What the agent says when it lacks capabilities or the kernel lacks a feature. */
const REFUSAL = /needs root or these capabilities|run `spanwire doctor`/;
/** /proc/PID/stat counts CPU time in ticks of 10 ms on every Linux that Node runs on. */
const TICK_MS = 10;

export class AgentProcess implements AsyncDisposable {
  readonly program: Program;
  readonly log: LogLine[] = [];
  readonly #ready = Promise.withResolvers<void>();
  readonly #read: Promise<unknown>;
  /** The first line of standard output that is not JSON. */
  #garbage: string | undefined;

  constructor(args: readonly string[], onSpan: (span: Span) => void, environment: NodeJS.ProcessEnv = {}) {
    this.program = new Program('the agent', process.execPath, [MAIN, ...args, '--log-format', 'json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...withoutSettings(process.env), ...environment },
    });
    const { stdout, stderr } = this.program.child;
    const spans = createInterface({ input: stdout! }).on('line', (line) => this.#printed(line, onSpan));
    const log = createInterface({ input: stderr! }).on('line', (line) => this.#logged(parseLogLine(line)));
    this.#read = Promise.all([spans, log].map((lines) => new Promise((resolve) => lines.once('close', resolve))));
    this.#ready.promise.catch(() => {});
  }

  /** Starts `spanwire run`; resolves when capture has begun. Throws AgentRefused or what else went wrong. */
  static async start(
    args: readonly string[],
    onSpan: (span: Span) => void,
    environment?: NodeJS.ProcessEnv,
  ): Promise<AgentProcess> {
    const agent = new AgentProcess(['run', ...args], onSpan, environment);
    const timer = setTimeout(() => agent.program.kill('SIGKILL'), READY_MS);
    const outcome = await Promise.race([agent.#ready.promise.then(() => 'ready' as const), agent.finished()]);
    clearTimeout(timer);
    if (outcome === 'ready') return agent;
    const words = agent.says();
    if (REFUSAL.test(words)) throw new AgentRefused(words);
    throw new Error(`the agent did not get ready: ${words || `it said nothing in ${READY_MS} ms`}`);
  }

  /** Its errors and warnings, in its own words. */
  says(): string {
    const lines = this.log.filter(({ level }) => level !== 'info' && level !== 'debug');
    return lines.map(({ msg, error }) => (error === undefined ? msg : `${msg}: ${error}`)).join('\n');
  }

  /** The last log line with this message. */
  logged(message: string): LogLine | undefined {
    return this.log.findLast(({ msg }) => msg === message);
  }

  /** CPU time used so far, user and system. */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${this.program.pid}/stat`, 'utf8');
    // Fields 14 and 15; field 2 is the name in parentheses and may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }

  /** Ends it as an operator would; resolves when the last span was read. */
  async stop(): Promise<Exit> {
    if (!this.program.ended) await this.program.stop('SIGTERM', STOP_MS);
    return this.finished();
  }

  /** Resolves when it ended by itself and all its output was read; throws when that was not spans only. */
  async finished(): Promise<Exit> {
    const exit = await this.program.exited;
    await this.#read;
    if (this.#garbage !== undefined) throw new Error(`the agent printed what is no span: ${this.#garbage}`);
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #printed(line: string, onSpan: (span: Span) => void): void {
    let span: Span;
    try {
      span = JSON.parse(line) as Span;
    } catch {
      this.#garbage ??= line.slice(0, GARBAGE_SHOWN);
      return;
    }
    onSpan(span);
  }

  #logged(line: LogLine): void {
    this.log.push(line);
    if (this.log.length > LOG_LINES_MAX) this.log.shift();
    if (line.msg === 'ready') this.#ready.resolve();
  }
}

function parseLogLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    // What is written before there is a logger: usage errors, a crash of the runtime.
    return { msg: line, level: 'error' };
  }
}

/** Settings of the user's own agent or service must not reach this one. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !/^(OTEL|BEYLA|SPANWIRE)_/.test(name)));
}
