/**
 * The nine bytes in front of each frame, and what they may be. https://www.rfc-editor.org/rfc/rfc9113#section-4.1
 *
 *   0        3      4       5                9
 *   │ length │ type │ flags │ R stream       │ payload
 *
 * In step, a header is refused only for what the specification forbids. In a search it also has to look like one that
 * is sent in practice: chance must not meet it.
 */

import { be24, be32 } from '../sdk/bytes';
import { FRAME_SIZE } from './state';

export const HEADER_SIZE: u32 = 9;

export const DATA_FRAME: u8 = 0;
export const HEADERS: u8 = 1;
export const PRIORITY: u8 = 2;
export const RST_STREAM: u8 = 3;
export const SETTINGS: u8 = 4;
export const PUSH_PROMISE: u8 = 5;
export const PING: u8 = 6;
export const GOAWAY: u8 = 7;
export const WINDOW_UPDATE: u8 = 8;
export const CONTINUATION: u8 = 9;
/** PRIORITY_UPDATE, RFC 9218. */
const PRIORITY_UPDATE: u8 = 16;

export const END_STREAM: u8 = 0x1;
export const ACK: u8 = 0x1;
export const END_HEADERS: u8 = 0x4;
export const PADDED: u8 = 0x8;
export const PRIORITIZED: u8 = 0x20;

/** Settings that a frame found by a search may hold: twice of what there are. */
const SETTINGS_LIKELY: u32 = 6 * 16;
/** Streams that may open between two frames of a direction that was lost. */
const STREAMS_AHEAD: u32 = 1 << 20;

/** Whether a frame of a direction in step may begin so. */
export function isHeader(at: usize, max: u32, isClient: bool): bool {
  const length = be24(at);
  const stream = be32(at + 5) & 0x7fffffff;
  if (length > max) return false;
  switch (load<u8>(at, 3)) {
    case DATA_FRAME:
    case CONTINUATION:
      return stream != 0;
    case HEADERS:
      return stream != 0 && (!isClient || (stream & 1) != 0);
    case PRIORITY:
      return stream != 0 && length == 5;
    case RST_STREAM:
      return stream != 0 && length == 4;
    case SETTINGS:
      return stream == 0 && length % 6 == 0 && (length == 0 || (load<u8>(at, 4) & ACK) == 0);
    case PUSH_PROMISE:
      return stream != 0 && length >= 4 && !isClient;
    case PING:
      return stream == 0 && length == 8;
    case GOAWAY:
      return stream == 0 && length >= 8;
    case WINDOW_UPDATE:
      return length == 4;
  }
  return true;
}

/** Whether it looks like a frame's header to one who does not know where frames begin. `newest`: a stream known of. */
export function isLikely(at: usize, newest: u32, isClient: bool): bool {
  if (load<u8>(at) != 0 || load<u8>(at, 5) >= 0x80 || !isHeader(at, FRAME_SIZE, isClient)) return false;
  const type = load<u8>(at, 3);
  const flags = load<u8>(at, 4);
  const length = be24(at);
  const stream = be32(at + 5);
  if (newest != 0 && stream > newest + STREAMS_AHEAD) return false;
  // Streams that a server opens are rare, and nothing else goes by on them.
  if ((type == DATA_FRAME || type == HEADERS || type == CONTINUATION) && (stream & 1) == 0) return false;
  switch (type) {
    case DATA_FRAME:
      return (flags & ~(END_STREAM | PADDED)) == 0 && (length > 0 || flags == END_STREAM);
    case HEADERS:
      return (flags & ~(END_STREAM | END_HEADERS | PADDED | PRIORITIZED)) == 0 && length > 0;
    case SETTINGS:
      return (flags & ~ACK) == 0 && length <= SETTINGS_LIKELY;
    case PUSH_PROMISE:
      return (flags & ~(END_HEADERS | PADDED)) == 0;
    case PING:
      return (flags & ~ACK) == 0;
    case CONTINUATION:
      return (flags & ~END_HEADERS) == 0 && length > 0;
    case PRIORITY_UPDATE:
      return flags == 0 && length >= 4 && stream == 0;
  }
  return type < CONTINUATION && flags == 0;
}
