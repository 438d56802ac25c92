/**
 * What the suite's connections say: a beginning, and turns that repeat for ever, so that a connection opens once and a
 * bench measures the steady state. A turn is what the client says and the answer to it, as calls on the socket; bytes
 * are the same in each lap but for HTTP/2's stream ids, which the feeder counts on.
 */
import { DIRECTION_IN, DIRECTION_OUT } from '../../../host/kernel/layout.ts';
import type { Step } from '../../../host/modules/trial/steps.ts';
import { EOF, FROM_CLIENT } from '../../../parsers/sdk/abi.ts';
import { turnsOf } from '../../prepared-source.ts';
import type { FeederConversation } from '../../reference.ts';

export interface Call {
  readonly direction: number;
  readonly bytes: Uint8Array;
  /** Offsets of stream ids. */
  readonly streamIds?: readonly number[];
}

export interface Turn {
  readonly calls: readonly Call[];
  readonly pairs: number;
}

export interface Conversation {
  readonly port: number;
  readonly opening: readonly Turn[];
  readonly lap: readonly Turn[];
  /** By so much a lap moves the stream ids. */
  readonly stride?: number;
  /** The connection ends with the lap. */
  readonly closes?: boolean;
}

/** Steps as turns, each with so many pairs. */
export function turns(steps: readonly Step[], pairs: number): Turn[] {
  const data = steps.filter(({ kind }) => kind !== EOF);
  return turnsOf(data).map((calls) => ({ calls, pairs }));
}

export function tablesOf({ port, opening, lap, stride = 0, closes = false }: Conversation): FeederConversation {
  const all = [...opening, ...lap];
  const calls: number[] = [];
  const streamIds: number[] = [];
  const bytes: Uint8Array[] = [];
  let offset = 0;
  for (const [turn, one] of all.entries()) {
    for (const call of one.calls) {
      for (const at of call.streamIds ?? []) streamIds.push(bytes.length, at);
      calls.push(turn, offset, call.bytes.length, call.direction === FROM_CLIENT ? DIRECTION_IN : DIRECTION_OUT);
      bytes.push(call.bytes);
      offset += call.bytes.length;
    }
  }
  return {
    port,
    bytes: new Uint8Array(Buffer.concat(bytes)),
    calls: new Uint32Array(calls),
    streamIds: new Uint32Array(streamIds),
    stride,
    pairs: new Uint32Array(all.map(({ pairs }) => pairs)),
    firstRepeated: opening.length,
    closes,
  };
}

/** Makes something that grows with its filling, so that the longest of its messages has about so many bytes. */
export function padded(bytes: number, make: (filling: string) => readonly Step[]): readonly Step[] {
  const longest = Math.max(...make('').map((step) => step.bytes.length));
  return make('x'.repeat(Math.max(0, bytes - longest)));
}

/** What a server writes at once at most; its last piece is short, and so its end is captured. */
const PIECE = 8192;
const LAST_PIECE = 512;

/** A database's long answers leave it buffer by buffer. */
export function inPieces(steps: readonly Step[]): Step[] {
  return steps.flatMap((step) => {
    const { bytes } = step;
    if (bytes.length <= PIECE) return [step];
    const edges = [0];
    for (let at = PIECE; at < bytes.length - LAST_PIECE; at += PIECE) edges.push(at);
    edges.push(bytes.length - LAST_PIECE, bytes.length);
    return edges.slice(1).map((end, index) => {
      const piece = bytes.slice(edges[index]!, end);
      return { ...step, bytes: piece, wireLength: piece.length };
    });
  });
}
