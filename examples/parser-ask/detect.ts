/**
 * Is this ask, and who asks? A direction that begins with the header of a call is the client's: twelve bytes with a
 * small length, the magic byte and a kind are hardly anything else. What the other direction begins with makes it more
 * certain or less: it may have been joined in the middle of an answer.
 *
 * Rule: a refusal is final, so it is given only when no further byte can change it.
 */
import { FROM_CLIENT, FROM_SERVER, IDENTIFY_MORE, IDENTIFY_NO, IDENTIFY_SCORE_MIN, IDENTIFY_SWAPPED } from '../sdk/abi';
import { sample } from '../sdk/sample';
import { HEADER_SIZE, MORE, matchHeader, YES } from './header';

const CERTAIN: u32 = 100;
const CALL_ONLY: u32 = 90;
const CALL_AGAINST_ANSWER: u32 = 60;

const scratch: usize = memory.data(16, 8);

export function identify(chunks: u32): u32 {
  const believed = score(chunks, FROM_CLIENT, FROM_SERVER);
  if (believed >= <u32>IDENTIFY_SCORE_MIN) return believed;
  const swapped = score(chunks, FROM_SERVER, FROM_CLIENT);
  if (swapped >= <u32>IDENTIFY_SCORE_MIN) return swapped | IDENTIFY_SWAPPED;
  return max(believed, swapped);
}

/** How well it fits that `client` asks and `server` answers. */
function score(chunks: u32, client: u32, server: u32): u32 {
  const call = match(chunks, client, true);
  if (call != YES) return call == MORE ? IDENTIFY_MORE : IDENTIFY_NO;
  const answer = match(chunks, server, false);
  if (answer == YES) return CERTAIN;
  return answer == MORE ? CALL_ONLY : CALL_AGAINST_ANSWER;
}

function match(chunks: u32, direction: u32, isClient: bool): u32 {
  return matchHeader(scratch, sample(chunks, direction, scratch, HEADER_SIZE), isClient);
}
