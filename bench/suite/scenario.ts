/** A scenario as the main thread sees it: its worker thread, asked step by step. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Parser } from '../../host/modules/trial/parser.ts';
import type { ParserModule } from '../../host/wasm/admit.ts';
import { WORKER_LIMITS } from '../../host/workers.ts';
import type { FeederConversation } from '../reference.ts';
import { type Conversation, tablesOf } from './conversations/conversation.ts';
import type { Share } from './profile.ts';
import { PAYLOAD_BYTES, RING_BYTES, type RingKind } from './rig.ts';

export interface ScenarioInput {
  readonly ring: RingKind;
  readonly ringBytes: number;
  readonly payloadBytes: number;
  readonly connections: number;
  readonly conversations: readonly FeederConversation[];
  readonly modules: readonly ParserModule[];
  /** Share of the spans that is reported. */
  readonly sampled: number;
  /** Both: each batch is encoded by OpenTelemetry, too. */
  readonly encoders: 'ours' | 'both';
  /** Drain and encoder are timed by themselves. */
  readonly isStaged: boolean;
}

export interface Count {
  readonly expected: number;
  readonly pairs: number;
  readonly spans: number;
  readonly requestBytes: number;
  /** Connections that the kernel was told to ignore. */
  readonly verdicts: number;
}

/** CPU time of the thread, in which others on this machine cost it only cache. */
export interface Round extends Count {
  readonly records: number;
  readonly bytes: number;
  readonly floorNs: number;
  readonly pipelineNs: number;
  readonly drainNs: number;
  readonly encodeNs: number;
  readonly otelNs: number;
}

export interface Drained {
  readonly pairs: number;
  readonly cpuNs: number;
  readonly startNs: number;
  readonly endNs: number;
}

export interface ScenarioSetup {
  readonly ring: RingKind;
  readonly parsers: readonly Parser[];
  readonly connections: number;
  readonly conversations: readonly Conversation[];
  readonly sampled?: number;
  readonly ringBytes?: number;
  readonly encoders?: 'ours' | 'both';
  readonly isStaged?: boolean;
}

export class Scenario implements AsyncDisposable {
  readonly #worker: Worker;

  static async start(setup: ScenarioSetup): Promise<Scenario> {
    const { parsers, conversations, sampled = 1, ringBytes = RING_BYTES, encoders = 'ours', isStaged = false } = setup;
    const workerData: ScenarioInput = {
      ring: setup.ring,
      ringBytes,
      payloadBytes: PAYLOAD_BYTES,
      connections: setup.connections,
      conversations: conversations.map(tablesOf),
      modules: parsers.map(({ manifest, module, digest }) => ({ manifest, module, digest })),
      sampled,
      encoders,
      isStaged,
    };
    const worker = new Worker(new URL('./scenario-worker.ts', import.meta.url), {
      workerData,
      resourceLimits: WORKER_LIMITS,
    });
    await once(worker, 'message');
    return new Scenario(worker);
  }

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  open(): Promise<Count> {
    return this.#ask('open');
  }

  warm(ms: number): Promise<void> {
    return this.#ask('warm', ms);
  }

  round(atLeastMs: number): Promise<Round> {
    return this.#ask('round', atLeastMs);
  }

  fill(): Promise<void> {
    return this.#ask('fill');
  }

  drain(): Promise<Drained> {
    return this.#ask('drain');
  }

  profile(ms: number): Promise<{ readonly round: Round; readonly shares: readonly Share[] }> {
    return this.#ask('profile', ms);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  async #ask<Answer>(method: string, argument = 0): Promise<Answer> {
    this.#worker.postMessage([method, argument]);
    const [answer] = (await once(this.#worker, 'message')) as [Answer];
    return answer;
  }
}
