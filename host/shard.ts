/**
 * A shard's loop: poll the ring, run the pipeline, sleep, again. The kernel never wakes us (a wake-up per record
 * costs the application more than all the rest), so the interval follows the traffic: short while the ring fills
 * fast, long when it is silent. Exporting shares the thread: between turns the event loop is free.
 */
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
  readonly #next = () => this.#step();
  /** By what it waits: each is set again for every sleep of its length, so that a turn makes no garbage. */
  readonly #timers = new Map<number, NodeJS.Timeout>();
  #pause = BUSY_SLEEP_MS;
  #isAsleep = false;
  #isStopped = false;
  #ended: PromiseWithResolvers<void> | undefined;
  #tickAt = 0;
  #sweepAt: number;
  #held = false;

  constructor(options: ShardOptions) {
    this.#options = options;
    this.#sweepAt = performance.now() + SWEEP_MS;
  }

  /** Runs until stop(); then takes what is left in the ring and ends every connection. */
  run(): Promise<void> {
    this.#ended = Promise.withResolvers<void>();
    this.#step();
    return this.#ended.promise;
  }

  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    if (!this.#isAsleep) return;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    setImmediate(this.#next);
  }

  /** Stops polling while true: what a stuck consumer looks like to the kernel. For tests of loss. */
  hold(held: boolean): void {
    this.#held = held;
  }

  /** A turn, and what calls the next one. */
  #step(): void {
    this.#isAsleep = false;
    try {
      if (this.#isStopped) this.#end();
      else this.#rest(this.#turn());
    } catch (error) {
      this.#ended!.reject(error);
    }
  }

  #end(): void {
    this.#drain();
    this.#options.pipeline.finish();
    this.#ended!.resolve();
  }

  #rest(bytes: number): void {
    if (this.#isStopped || bytes >= this.#options.ringBytes * CROWDED) setImmediate(this.#next);
    else {
      this.#pause = bytes > 0 ? BUSY_SLEEP_MS : Math.min(this.#pause * 2, IDLE_SLEEP_MS);
      this.#sleep(this.#pause);
    }
  }

  #sleep(ms: number): void {
    this.#isAsleep = true;
    const timer = this.#timers.get(ms);
    if (timer === undefined) this.#timers.set(ms, setTimeout(this.#next, ms));
    else timer.refresh();
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
}
