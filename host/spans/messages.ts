/**
 * Messages that wait, in the engine's memory: columns by message number (host/engine/assembly/messages.ts). A message
 * number is valid until it is given back; -1 means "none" everywhere.
 */
import { randomFillSync } from 'node:crypto';
import type { Engine } from '../engine/engine.ts';
import {
  MESSAGE_ATTRIBUTE_COUNT,
  MESSAGE_BODY,
  MESSAGE_FIRST_TIME,
  MESSAGE_FLAG_BITS,
  MESSAGE_LAST_TIME,
  MESSAGE_PROTOCOL_INDEX,
  MESSAGE_STATUS_CODE,
  MESSAGE_WORDS,
  MESSAGE_WORDS_AT,
  MESSAGES_MAX,
  SLAB,
  SLAB_BYTES_MAX,
} from '../engine/layout/messages.ts';
import { DEFINITION_SLAB_BYTES_MAX, KEY_SECRET } from '../engine/layout/pairing.ts';

export interface MessageLimits {
  readonly messages: number;
  readonly attributeBytes: number;
  readonly definitionBytes: number;
}

/** As much as the engine's memory has room for. */
export const MESSAGE_LIMITS: MessageLimits = {
  messages: MESSAGES_MAX,
  attributeBytes: SLAB_BYTES_MAX,
  definitionBytes: DEFINITION_SLAB_BYTES_MAX,
};

export class Messages {
  /** Nanoseconds: two words each, the lower half first; so are the bytes of the body. */
  readonly first: Uint32Array;
  readonly last: Uint32Array;
  readonly bodyBytes: Uint32Array;
  readonly status: Uint32Array;
  readonly flags: Uint16Array;
  readonly protocol: Uint8Array;
  /** First word in `words`, length in words, number of attributes. */
  readonly attributesAt: Uint32Array;
  readonly attributesWords: Uint32Array;
  readonly attributes: Uint16Array;
  /** Attributes of all messages. */
  readonly words: Uint32Array<ArrayBuffer>;

  /** Once for an engine, before it pairs anything. */
  constructor(engine: Engine, limits: Partial<MessageLimits> = {}) {
    const { messages, attributeBytes, definitionBytes } = { ...MESSAGE_LIMITS, ...limits };
    const secret = randomFillSync(engine.column(Uint32Array, KEY_SECRET, 3));
    for (let i = 0; i < secret.length; i++) secret[i]! |= 1;
    engine.exports.initPairing!(messages, attributeBytes, definitionBytes, performance.now());
    this.first = engine.column(Uint32Array, MESSAGE_FIRST_TIME, messages * 2);
    this.last = engine.column(Uint32Array, MESSAGE_LAST_TIME, messages * 2);
    this.bodyBytes = engine.column(Uint32Array, MESSAGE_BODY, messages * 2);
    this.status = engine.column(Uint32Array, MESSAGE_STATUS_CODE, messages);
    this.flags = engine.column(Uint16Array, MESSAGE_FLAG_BITS, messages);
    this.protocol = engine.column(Uint8Array, MESSAGE_PROTOCOL_INDEX, messages);
    this.attributesAt = engine.column(Uint32Array, MESSAGE_WORDS_AT, messages);
    this.attributesWords = engine.column(Uint32Array, MESSAGE_WORDS, messages);
    this.attributes = engine.column(Uint16Array, MESSAGE_ATTRIBUTE_COUNT, messages);
    this.words = engine.column(Uint32Array, SLAB, attributeBytes >>> 2);
  }
}
