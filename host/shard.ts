/**
 * A shard's loop: poll the ring, run the pipeline, sleep, again. The kernel never wakes us (a wake-up per record
 * costs the application more than all the rest), so the interval follows the traffic: short while the ring fills
 * fast, long when it is silent. Exporting shares the thread: between turns the event loop is free.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Pipeline } from './pipeline.ts';

/** One turn works at most this long before the event loop gets its share. */
const TURN_MS = 10;
/** Sleep after a turn: traffic waits at most the first, silence lengthens it up to the second. */
const BUSY_SLEEP_MS = 5;
const IDLE_SLEEP_MS = 40;
/** A turn that found this share of the ring filled is followed by no sleep. */
const CROWDED = 1 / 8;
/** A lagging exporter is waited for until the ring is this full; then records, which are many, go before spans. */
const CRAMMED = 1 / 2;
const TICK_MS = 100;
const SWEEP_MS = 60_000;
const IDLE_CONNECTION_SECONDS = 600;

export interface ShardOptions {
  readonly pipeline: Pipeline;
  /** Bytes the ring holds. */
  readonly ringBytes: number;
  /** False while the exporters lag so far that spans would be dropped: the ring then holds what comes. */
  readonly mayPoll: () => boolean;
  /** Bytes that wait in the ring. */
  readonly pending: () => number;
  /** Current CLOCK_REALTIME minus CLOCK_MONOTONIC. */
  readonly clockOffset: () => readonly [low: number, high: number];
}

export class Shard {
  readonly #options: ShardOptions;
  readonly #stop = new AbortController();
  #tickAt = 0;
  #sweepAt: number;
  #held = false;

  constructor(options: ShardOptions) {
    this.#options = options;
    this.#sweepAt = performance.now() + SWEEP_MS;
  }

  /** Runs until stop(); then takes what is left in the ring and ends every connection. */
  async run(): Promise<void> {
    let pause = BUSY_SLEEP_MS;
    while (!this.#stop.signal.aborted) {
      const bytes = this.#turn();
      if (bytes >= this.#options.ringBytes * CROWDED) await nextTurn();
      else {
        pause = bytes > 0 ? BUSY_SLEEP_MS : Math.min(pause * 2, IDLE_SLEEP_MS);
        await this.#sleep(pause);
      }
    }
    this.#drain();
    this.#options.pipeline.finish();
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Stops polling while true: what a stuck consumer looks like to the kernel. For tests of loss. */
  hold(held: boolean): void {
    this.#held = held;
  }

  #turn(): number {
    const { pipeline, ringBytes, mayPoll, pending } = this.#options;
    if (this.#held || (!mayPoll() && pending() < ringBytes * CRAMMED)) return 0;
    const start = performance.now();
    let bytes = 0;
    let now = start;
    do {
      const taken = pipeline.poll(now);
      if (taken === 0) break;
      bytes += taken;
      now = performance.now();
    } while (now - start < TURN_MS);
    if (now >= this.#tickAt) this.#tick(now);
    return bytes;
  }

  #tick(now: number): void {
    const { pipeline, clockOffset } = this.#options;
    this.#tickAt = now + TICK_MS;
    pipeline.setClockOffset(...clockOffset());
    pipeline.tick(now);
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + SWEEP_MS;
    pipeline.sweep(now, IDLE_CONNECTION_SECONDS);
  }

  #drain(): void {
    while (this.#options.pipeline.poll(performance.now()) > 0);
  }

  async #sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}
