/**
 * Who asks? Where the host saw a connection begin, that is certain; where it joined in mid-stream, it may have taken the
 * client for the server. Both directions then still read well, because a reply may be an array of strings, as every
 * request is: `*2\r\n$4\r\nname\r\n…` answers an HGETALL as well as it asks for NAME. So the direction stays in doubt
 * until one of them says what only a server says, and the connection is given up as soon as that is the wrong one:
 * the host then identifies it again.
 *
 *   the server sends                      the client sent      therefore
 *   any value but an array of strings     –                    settled
 *   an array that begins with a command   an unknown name      wrong way round
 *   an array that begins with REPLCONF    –                    a replica's link, seen from its end: wrong way round
 *   an array of other strings             a command            settled
 *   anything else                         –                    in doubt for DOUBT_MAX replies, then taken as it is
 *
 * And a client in the middle of no request sends nothing but the start of one: any other value is a reply.
 */
import { ARRAY, BULK, count, Half, text, textLost, typeByte } from './frame';
import { is, isAnyCase, NAME_MAX } from './command';
import { isKnown } from './known';
import { Connection } from './state';

/** What the first string of an array of the server is, in Connection.answered. */
const OTHER: u8 = 0;
const COMMAND: u8 = 1;
const REPLICA: u8 = 2;

/** The name of a request of the client. */
export function doubtName(c: Connection, from: usize, length: u32): void {
  c.asked = isKnown(from, length) ? 1 : 0;
}
