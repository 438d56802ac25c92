/**
 * Is it this protocol, and who asks? Every frame begins with the mark, and its kind says whose it is: so even a
 * connection that is joined in the middle is known by its next write.
 */
import { FROM_CLIENT, FROM_SERVER, IDENTIFY_MORE, IDENTIFY_NO, IDENTIFY_SWAPPED } from '../../sdk/abi';
import { agrees } from '../../sdk/bytes';
import { sample } from '../../sdk/sample';
import { frameLength, HEADER, MARK } from './header';

/** Both directions fit; one does, the other is silent. */
const CERTAIN: u32 = 100;
const CLEAR: u32 = 90;

const samples: usize = memory.data(32, 8);

export function identify(count: u32): u32 {
  const score = judge(count, FROM_CLIENT, FROM_SERVER);
  if (score != IDENTIFY_NO) return score;
  const swapped = judge(count, FROM_SERVER, FROM_CLIENT);
  return swapped == IDENTIFY_NO || swapped == IDENTIFY_MORE ? swapped : swapped | IDENTIFY_SWAPPED;
}

/** The score if it is `client` that asks: what both sides say must not speak against it. */
function judge(count: u32, client: u32, server: u32): u32 {
  const asks = look(count, client, true);
  const answers = look(count, server, false);
  if (asks == IDENTIFY_NO || answers == IDENTIFY_NO) return IDENTIFY_NO;
  if (asks == IDENTIFY_MORE && answers == IDENTIFY_MORE) return IDENTIFY_MORE;
  return asks == answers ? CERTAIN : CLEAR;
}

/** NO, MORE, or CLEAR when a direction begins with a frame. */
function look(count: u32, direction: u32, isClient: bool): u32 {
  const length = sample(count, direction, samples, HEADER);
  if (!agrees(samples, samples + length, MARK)) return IDENTIFY_NO;
  if (length < HEADER) return IDENTIFY_MORE;
  return frameLength(samples, isClient) > 0 ? CLEAR : IDENTIFY_NO;
}
