/**
 * The framing of HTTP/1 on a stream with gaps: heads, bodies, and where the next message begins.
 * https://www.rfc-editor.org/rfc/rfc9112#section-6 and section 7.1 (chunked)
 *
 * Rules:
 *  - A head is read line by line where it lies in the chunk; its attributes go straight into the output. Only what a
 *    chunk leaves unfinished is kept in the slot: the message so far, and the start of a line.
 *  - `from` never moves behind what the slot knows. Where the slot is too small for what has to be kept, GROW is
 *    asked for and `from` stays at (or goes back to) the last place that the slot knows: nothing has to be undone.
 *  - Lost bytes inside a body of known length are only counted. Anywhere else the direction is lost (resync.ts).
 */

import {
  Chunk,
} from '../sdk/chunk';
import { EOF, FROM_CLIENT, FROM_SERVER, GAP, GROW, MESSAGE_PARTIAL, REQUEST, RESET, RESPONSE, SHRINK, UPGRADE, UPGRADE_TUNNEL } from '../sdk/abi';
import { FULL } from '../sdk/accumulate';
import { copy, findByte, hexValue, isBlank } from '../sdk/bytes';
import { hasRoom, hint, Message } from '../sdk/output';
