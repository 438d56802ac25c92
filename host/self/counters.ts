/**
 * The worker's accounting: every record, byte, message and span that does not become an exported span has a counter.
 * One Float64Array per worker on shared memory: the worker adds, the main thread reads and sums.
 *
 * The equations (held by test/host/accounting.test.ts):
 *   kernel.records_tried = records_in + kernel.records_lost (+ what still waits in the ring)
 *   messages_in          = 2 × pairs + messages_oneway + messages_push + Σ messages_dropped_* + messages_pending
 *   pairs + messages_oneway = spans_made + spans_unsampled + Σ pairs_dropped_* + pairs_held
 *   spans_made           = spans_exported + Σ spans_dropped_* + spans_queued
 */

export const COUNTERS = [
  // records and bytes, from the ring to the connection table
  'records_in',
  'records_data',
  'records_eof',
  'records_close',
  'records_malformed',
  'bytes_moved',
  'bytes_captured',
  // stream order
  'chunks',
  'chunks_reordered',
  'gaps',
  'bytes_gap_lost', // missing between records: the ring was full, or the call was not seen
  'bytes_gap_truncated', // moved by a seen call, not captured
  'bytes_overlap',
  'bytes_skipped', // captured, and not needed by the parser
  // connections
  'connections_opened',
  'connections_closed',
  'connections_evicted',
  'connections_identified',
  'connections_unknown',
  'connections_reidentified',
  'connections_upgraded',
  'connections_revived', // unknown, and looked at again because a module came
  'connections_given_up',
  'connections_refused', // no slot to be had: memory limit of the module
  'bytes_unknown',
  // parsers
  'parser_runs',
  'parser_traps',
  'parser_fuel',
  'parser_bad_output',
  'attributes_refused', // not in the manifest, or of the wrong length
  'slots_grown',
  'slots_shrunk',
  // messages
  'messages_in',
  'messages_oneway',
  'messages_push', // responses without a request by design
  'messages_dropped_desync',
  'messages_dropped_unpaired',
  'messages_dropped_closed',
  'messages_dropped_overflow',
  'messages_pending', // gauge
  'references_unknown', // of messages, to definitions that are not there
  'definitions_dropped', // the oldest of a connection that defines too much
  'pairs',
  'pairs_dropped_unconfirmed',
  'pairs_dropped_untimed', // began or ended in lost bytes: nobody knows how long it took
  'pairs_held', // gauge
  // spans
  'spans_made',
  'spans_unsampled', // the sampler did not keep them; no span was made
  'spans_exported',
  'spans_dropped_queue_full',
  'spans_dropped_export_failed',
  'spans_dropped_shutdown',
  'spans_queued', // gauge
  'export_attempts',
  'export_failures',
  // metrics
  'metrics_overflowed', // spans measured in a series of overflow
  'metrics_unmeasured', // spans that found no place in any
  'metrics_exports',
  'metrics_export_failures',
] as const;

export type CounterId = (typeof COUNTERS)[number];

/** Index of each counter in the array: `counters[C.records_in] += 1`. */
export const C = Object.freeze(Object.fromEntries(COUNTERS.map((name, index) => [name, index]))) as {
  readonly [name in CounterId]: number;
};

/** One writer per array. Typed loosely as Float64Array so that the hot path pays no indirection. */
export type Counters = Float64Array<SharedArrayBuffer>;

export function createCounters(): Counters {
  return new Float64Array(new SharedArrayBuffer(COUNTERS.length * 8));
}

/** Adds `n` to a counter; for the hot path write `counters[C.name]! += n` or keep a local. */
export function count(counters: Counters, id: CounterId, n = 1): void {
  counters[C[id]] = (counters[C[id]] ?? 0) + n;
}

/** Sums the workers' counters into a plain object. */
export function sumCounters(all: readonly Counters[]): Record<CounterId, number> {
  const sum = {} as Record<CounterId, number>;
  for (const name of COUNTERS) sum[name] = all.reduce((total, one) => total + (one[C[name]] ?? 0), 0);
  return sum;
}
