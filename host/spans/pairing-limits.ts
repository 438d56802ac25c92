/** What both ways of pairing (fifo.ts, keyed.ts) share. */

/** Messages of one connection that wait for their partner: deeper pipelines than this are not known. */
export const WAITING_MAX = 8192;
/** A response may carry a time this much before its request's (threads on two CPUs), and still be its response. */
export const INVERSION_NS = 5_000_000;

/** Takes finished pairs; `response` is -1 for a request that gets none. Messages stay owned by the pairing. */
export type PairSink = (connection: number, request: number, response: number) => void;
