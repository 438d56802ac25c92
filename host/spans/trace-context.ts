/**
 * Identity of a span: random ids, or the trace and parent that the request's traceparent names.
 * https://www.w3.org/TR/trace-context/#traceparent-header
 */
import { randomFillSync } from 'node:crypto';

const POOL_WORDS = 4096;
const TRACEPARENT_LENGTH = 55;
const DASH = 0x2d;

/** Random words in bulk; an id of all zeros is invalid, so a word 0 is never handed out first. */
export class IdSource {
  readonly #pool = new Uint32Array(POOL_WORDS);
  #at = POOL_WORDS;

  /** Writes `count` random words at `at`. */
  fill(target: Uint32Array, at: number, count: number): void {
    if (this.#at + count > POOL_WORDS) {
      randomFillSync(this.#pool);
      this.#at = 0;
    }
    for (let i = 0; i < count; i++) target[at + i] = this.#pool[this.#at++]!;
    target[at] ||= 1;
  }
}

/** A parsed traceparent: words in the order they are printed. Reused by its owner; no object per span. */
export interface TraceParent {
  readonly traceId: Uint32Array;
  readonly parentId: Uint32Array;
  flags: number;
}

export function emptyTraceParent(): TraceParent {
  return { traceId: new Uint32Array(4), parentId: new Uint32Array(2), flags: 0 };
}

/** Parses `length` bytes from byte `at` of `bytes` into `into`; false when they are no valid traceparent. */
export function parseTraceParent(bytes: Uint8Array, at: number, length: number, into: TraceParent): boolean {
  if (length < TRACEPARENT_LENGTH) return false;
  const version = hexByte(bytes, at);
  // Version ff is invalid, 00 has exactly this length; later ones may carry more after a dash.
  if (version < 0 || version === 0xff || (version === 0 && length !== TRACEPARENT_LENGTH)) return false;
  if (bytes[at + 2] !== DASH || bytes[at + 35] !== DASH || bytes[at + 52] !== DASH) return false;
  if (length > TRACEPARENT_LENGTH && bytes[at + TRACEPARENT_LENGTH] !== DASH) return false;
  const flags = hexByte(bytes, at + 53);
  if (flags < 0 || !hexWords(bytes, at + 3, into.traceId) || !hexWords(bytes, at + 36, into.parentId)) return false;
  into.flags = flags;
  return true;
}

/** Fills the words from hex text; false for anything but lower-case hex, and for all zeros. */
function hexWords(bytes: Uint8Array, at: number, words: Uint32Array): boolean {
  let any = 0;
  for (let w = 0; w < words.length; w++) {
    let value = 0;
    for (let i = 0; i < 8; i++) {
      const digit = hexDigit(bytes[at + w * 8 + i]!);
      if (digit < 0) return false;
      value = (value << 4) | digit;
    }
    words[w] = value;
    any |= value;
  }
  return any !== 0;
}

function hexByte(bytes: Uint8Array, at: number): number {
  const high = hexDigit(bytes[at]!);
  const low = hexDigit(bytes[at + 1]!);
  return high < 0 || low < 0 ? -1 : (high << 4) | low;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  if (byte >= 0x61 && byte <= 0x66) return byte - 0x57;
  return -1;
}
