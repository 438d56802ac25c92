/** Columns of the messages that wait, by message number (assembly/messages.ts). */
import { PAIRING_REGION } from './regions.ts';

export const MESSAGES_MAX = 1 << 20;

export const MESSAGE_NEXT = PAIRING_REGION; // i32
export const MESSAGE_MATE = MESSAGE_NEXT + 4 * MESSAGES_MAX; // i32
/** Nanoseconds by the clock of the records. */
export const MESSAGE_FIRST_TIME = MESSAGE_MATE + 4 * MESSAGES_MAX; // u64
export const MESSAGE_LAST_TIME = MESSAGE_FIRST_TIME + 8 * MESSAGES_MAX; // u64
export const MESSAGE_BODY = MESSAGE_LAST_TIME + 8 * MESSAGES_MAX; // u64
export const MESSAGE_STATUS_CODE = MESSAGE_BODY + 8 * MESSAGES_MAX; // u32
/** First word in the slab, length in words. */
export const MESSAGE_WORDS_AT = MESSAGE_STATUS_CODE + 4 * MESSAGES_MAX; // u32
export const MESSAGE_WORDS = MESSAGE_WORDS_AT + 4 * MESSAGES_MAX; // u32
export const MESSAGE_CONNECTION = MESSAGE_WORDS + 4 * MESSAGES_MAX; // u32
export const MESSAGE_FLAG_BITS = MESSAGE_CONNECTION + 4 * MESSAGES_MAX; // u16
export const MESSAGE_ATTRIBUTE_COUNT = MESSAGE_FLAG_BITS + 2 * MESSAGES_MAX; // u16
export const MESSAGE_PROTOCOL_INDEX = MESSAGE_ATTRIBUTE_COUNT + 2 * MESSAGES_MAX; // u8
export const MESSAGES_END = MESSAGE_PROTOCOL_INDEX + MESSAGES_MAX;

/** The slab's words: attributes of waiting messages (assembly/slab.ts). */
export const SLAB_BYTES_MAX = 256 << 20;
export const SLAB = MESSAGES_END;
/** Free for the rest of pairing. */
export const SLAB_END = SLAB + SLAB_BYTES_MAX;
