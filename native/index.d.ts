/**
 * The addon: load and attach the BPF object, drain its rings, read its counters. Everything here is synchronous.
 * Each class belongs to the thread that made it; file descriptors (plain numbers) may cross threads.
 * Errors are thrown as Error with `code` (an errno name such as "EPERM", or "ERR_CLOSED", "ERR_DETACHED",
 * "ERR_RANGE") and, where the kernel gave words (verifier log), with them in `detail`.
 */

export interface CaptureOptions {
  /** Number of shards, 1..64: one ring each. */
  shards: number;
  /** Bytes of each shard's ring: a power of two and a multiple of the page size. */
  ringBytes: number;
  /** Bytes of the control ring (exec, exit, listen). */
  controlBytes: number;
  /** Payload bytes kept of each call, 0..16384. */
  payloadBytes: number;
  /** Capture every process but this one (true), or only the selected ones (false). */
  everyProcess: boolean;
  /** The agent's own process: never captured. */
  ownTgid: number;
}

/** Counters in the order of struct spanwire_counters in bpf/wire.h, summed over CPUs. */
export type CounterName =
  | 'records_tried'
  | 'records_lost'
  | 'bytes_lost'
  | 'bytes_moved'
  | 'bytes_captured'
  | 'control_lost'
  | 'filtered_process'
  | 'filtered_socket'
  | 'filtered_own'
  | 'filtered_verdict'
  | 'peeked'
  | 'no_payload'
  | 'faults'
  | 'storage_failed';

export class Capture {
  /** Opens and loads the object (the bytes of an ELF file). Nothing is captured before attach(). */
  constructor(object: Uint8Array, options: CaptureOptions);
  attach(): void;
  /** Stops the capture. Rings and counters stay readable until close(). */
  detach(): void;
  /** File descriptor of a shard's ring map, to give to `new Ring(fd)` on the shard's worker. Owned by the Capture. */
  ringFd(shard: number): number;
  controlFd(): number;
  counters(): Record<CounterName, number>;
  /** Selects or deselects a process; its future children inherit the selection. */
  selectProcess(tgid: number, selected: boolean): void;
  /** Selects processes by the port they listen on, now and later. Ranges are inclusive. */
  selectPorts(ranges: ReadonlyArray<readonly [number, number]>): void;
  /** Stops the capture of one connection (socket cookie as two u32 halves), or takes it up again. */
  ignoreConnection(cookieLow: number, cookieHigh: number, ignored: boolean): void;
  /** Detaches and frees everything. A second call throws ERR_CLOSED. */
  close(): void;
}

export class Ring {
  /** Maps the ring behind a file descriptor that Capture gave; the descriptor is duplicated. */
  constructor(fd: number);
  /**
   * Copies whole records into the buffer from `offset`, each at a multiple of 8, and writes each connection's small
   * slot number into the record. Returns the bytes written; 0 when the ring is empty or the next record does not fit.
   */
  drain(buffer: ArrayBuffer, offset: number, capacity: number): number;
  /** Gives back slot numbers of connections that ended: slots[0..count). */
  release(slots: Uint32Array, count: number): void;
  /** Bytes waiting in the ring. */
  pending(): number;
  /** Bytes the ring holds. */
  readonly size: number;
  /** Connections that have a slot number now. */
  readonly connections: number;
  /** Unmaps. A second call throws ERR_CLOSED. */
  close(): void;
}

/**
 * Copies `count` pieces from source to target in one call; table holds count × 3 u32: source offset, target offset,
 * length. All ranges are checked before anything is copied; throws ERR_RANGE.
 */
export function copyPieces(source: ArrayBuffer, target: ArrayBuffer, table: Uint32Array, count: number): void;

/** Fills a buffer with zeroes by giving its pages back to the system: however large it is, it costs what was touched. */
export function wipe(buffer: ArrayBuffer): void;

/**
 * For the whole process and from now on: malloc gives large blocks back when they are freed and makes no heap for each
 * thread, and the kernel uses no huge pages.
 */
export function keepHeapLean(): void;

/** Gives memory back to the system that malloc keeps after much was freed. Takes milliseconds: not for a hot path. */
export function trimHeap(): void;

/** What trial loads and attaches say about this kernel and these capabilities. */
export interface FeatureProbe {
  name: string;
  ok: boolean;
  /** errno name when not ok. */
  code?: string;
  /** The kernel's or the verifier's words when not ok. */
  detail?: string;
}
/** Tries each program of the object on its own: load, then attach where possible. Changes nothing that lasts. */
export function probe(object: Uint8Array): FeatureProbe[];

/** CLOCK_REALTIME minus CLOCK_MONOTONIC as [low u32, high u32] of the nanoseconds. */
export function realtimeOffset(): [number, number];
