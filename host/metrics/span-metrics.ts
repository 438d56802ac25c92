/** RED metrics of one shard: the engine measures every span of its pipeline, whether it is sampled or not. */
import type { Engine } from '../engine/engine.ts';
import { RESOURCE_SERIES } from '../engine/layout/metrics.ts';
import { RESOURCES_MAX } from '../engine/layout/spans.ts';
import type { ProtocolTable } from '../spans/protocols.ts';
import type { Resources } from '../spans/resources.ts';
import { SeriesTable, type Taken } from './table.ts';

export interface SpanMetricsOptions {
  /** Series at most, those of overflow aside. */
  readonly seriesMax: number;
}

/** A series without a span for so long is forgotten: processes that come and go do not fill the table. */
export const IDLE_MS = 15 * 60_000;
/** The last spans of a process are told after its end. */
export const LINGER_MS = 10_000;

export class SpanMetrics {
  readonly #table: SeriesTable;
  readonly #resources: Resources;

  constructor(engine: Engine, protocols: ProtocolTable, resources: Resources, { seriesMax }: SpanMetricsOptions) {
    const resourceOf = (number: number) => resources.at(number);
    const table = new SeriesTable(engine, { seriesMax, idleMs: IDLE_MS, resourceOf });
    protocols.each((index, protocol) => void table.add(index, protocol));
    const series = engine.column(Uint32Array, RESOURCE_SERIES, RESOURCES_MAX);
    resources.keepWhile((number) => series[number]! > 0);
    this.#table = table;
    this.#resources = resources;
  }

  take(nowMs: number): Taken {
    return this.#table.take(nowMs);
  }

  /** The process ended: its series go with the next `take` after its last spans. */
  ended(tgid: number): void {
    setTimeout(() => {
      for (const number of this.#resources.ofProcess(tgid)) this.#table.release(number);
    }, LINGER_MS).unref();
  }
}
