/** RED metrics of one shard: every span of its pipeline, whether it is sampled or not, is measured here. */
import { Engine } from '../engine/engine.ts';
import type { SpanColumns } from '../spans/batch.ts';
import type { SpanProtocol } from '../spans/protocols.ts';
import type { Resource } from '../spans/span.ts';
import { type Measure, measureThrough } from './bridge.ts';
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
  readonly #protocols: readonly SpanProtocol[];
  readonly #table: SeriesTable;
  readonly #measure: Measure;
  readonly #numbers = new Map<Resource, number>();
  readonly #resources = new Map<number, Resource>();
  #nextResource = 1;
  #protocolsKnown = 0;

  /** `protocols`: a list that only grows. */
  constructor(protocols: readonly SpanProtocol[], { seriesMax }: SpanMetricsOptions) {
    const engine = new Engine({});
    this.#protocols = protocols;
    this.#measure = measureThrough(engine);
    this.#table = new SeriesTable(engine, {
      seriesMax,
      idleMs: IDLE_MS,
      resourceOf: (number) => this.#resources.get(number),
    });
  }

  measure(columns: SpanColumns, row: number): void {
    const known = this.#protocols;
    while (this.#protocolsKnown < known.length) this.#table.add(this.#protocolsKnown, known[this.#protocolsKnown++]!);
    const { resource } = columns.endpoints[row]!;
    this.#measure(columns, row, this.#numbers.get(resource) ?? this.#number(resource));
  }

  take(nowMs: number): Taken {
    const taken = this.#table.take(nowMs);
    const used = this.#table.resources();
    for (const [number, resource] of this.#resources) {
      if (used.has(number)) continue;
      this.#resources.delete(number);
      this.#numbers.delete(resource);
    }
    return taken;
  }

  /** The process ended: its series go with the next `take` after its last spans. */
  ended(tgid: number): void {
    setTimeout(() => {
      for (const [number, { attributes }] of this.#resources) {
        if (attributes['process.pid'] === tgid) this.#table.release(number);
      }
    }, LINGER_MS).unref();
  }

  #number(resource: Resource): number {
    const number = this.#nextResource++;
    this.#numbers.set(resource, number);
    this.#resources.set(number, resource);
    return number;
  }
}
