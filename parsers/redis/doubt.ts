/**
 * Who asks? Where the host saw a connection begin, that is certain; where it joined in mid-stream, it may have taken
 * the client for the server. Both directions then still read well, because a reply may be an array of strings, as every
 * request is: `*2\r\n$4\r\nname\r\n…` answers an HGETALL as well as it asks for NAME. So the direction stays in doubt
 * until one side says what only a client or only a server says; when that is the wrong one, the connection is given up.
 *
 *   the server sends                      the client sent      therefore
 *   any value but an array of strings     –                    settled
 *   an array of strings, no command       a command            settled
 *   an array that begins with a command   no command           wrong way round
 *   an array that begins with REPLCONF    –                    wrong way round: a replica acknowledges
 *   else                                  –                    in doubt for DOUBT_MAX replies, then taken as it is
 *
 *   the client sends, where a request must begin or go on, another value of RESP: wrong way round.
 */

import { isAnyCase, NAME_MAX } from './command';
import { ARRAY, BULK, count, Half, text, textLost, typeByte } from './frame';
import { isKnown } from './known';
import { Connection } from './state';

/** Takes the name of a request of the client. */
export function doubtName(c: Connection, from: usize, length: u32): void {
  c.asked = isKnown(from, length) ? 1 : 0;
}

/** Whether the first element of an array of the server, which was just read, could be the name of its request. */
export function isCommand(c: Connection): bool {
  if (typeByte != BULK || textLost || count > NAME_MAX) return false;
  if (isAnyCase(text, count, 'REPLCONF')) c.asked = 0;
  return isKnown(text, count);
}

/** Weighs a whole reply of the server; false when it was a request. */
export function doubtReply(c: Connection, half: Half, beginsWithCommand: bool): bool {
  if (half.top == ARRAY && beginsWithCommand && c.asked == 0) {
    c.giveUp();
    return false;
  }
  if (half.top != ARRAY || (!beginsWithCommand && c.asked != 0)) c.doubt = 0;
  else c.doubt--;
  return true;
}
