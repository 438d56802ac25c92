/**
 * Is it this protocol? The first command on a connection is `OPEN TLIN/1`; nobody else says that. Who says it is the
 * client, whatever the host believes. What comes later looks like too many other protocols: a connection joined in the
 * middle is not identified.
 */
import { FROM_CLIENT, FROM_SERVER, IDENTIFY_MORE, IDENTIFY_NO, IDENTIFY_SWAPPED } from '../../sdk/abi';
import { agrees, startsWith } from '../../sdk/bytes';
import { sample } from '../../sdk/sample';

/** Greeting and answer were seen; the greeting alone. */
const CERTAIN: u32 = 100;
const CLEAR: u32 = 90;

const SAMPLE: u32 = 16;
const samples: usize = memory.data(32, 8);

export function identify(count: u32): u32 {
  const score = judge(count, FROM_CLIENT, FROM_SERVER);
  if (score != IDENTIFY_NO) return score;
  const swapped = judge(count, FROM_SERVER, FROM_CLIENT);
  return swapped == IDENTIFY_NO || swapped == IDENTIFY_MORE ? swapped : swapped | IDENTIFY_SWAPPED;
}

/** The score if it is `client` that asks. */
function judge(count: u32, client: u32, server: u32): u32 {
  const asked = samples + sample(count, client, samples, SAMPLE);
  const answers = samples + SAMPLE;
  const answered = answers + sample(count, server, answers, SAMPLE);
  if (!agrees(samples, asked, 'OPEN TLIN/1')) return IDENTIFY_NO;
  if (!agrees(answers, answered, 'OK') && !agrees(answers, answered, 'ERR ')) return IDENTIFY_NO;
  if (!startsWith(samples, asked, 'OPEN TLIN/1')) return IDENTIFY_MORE;
  return answered > answers ? CERTAIN : CLEAR;
}
