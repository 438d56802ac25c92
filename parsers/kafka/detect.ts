/**
 * Is it Kafka, and who asks? A client begins with a request: a sane size, an API key and a version that exist, a client
 * id that can be printed. When it names itself that is enough; else the response must have the same correlation id.
 */
import { FROM_CLIENT, FROM_SERVER, IDENTIFY_MORE, IDENTIFY_NO, IDENTIFY_SWAPPED } from '../sdk/abi';
import { be32 } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { sample } from '../sdk/sample';
import { NO, REQUEST_HEADER, RESPONSE_HEADER, requestHeader, responseHeader } from './header';
import { CLIENT_ID_MAX } from './state';

/** Request and response have the same correlation id. */
const CERTAIN: u32 = 100;
/** The request is whole and names its client. */
const CLEAR: u32 = 80;
/** The same, and what the server said is no beginning of an answer to it: the connection is an old one. */
const LIKELY: u32 = 55;
/** Client ids of fewer letters might be chance. */
const TELLING: u32 = 3;

const SAMPLE: u32 = REQUEST_HEADER + 2 + CLIENT_ID_MAX;
const asked: usize = memory.data(160, 8);
const answered: usize = memory.data(8, 8);

export function identify(count: u32): u32 {
  const score = judge(count, FROM_CLIENT, FROM_SERVER);
  if (score > <u32>IDENTIFY_MORE) return score;
  const swapped = judge(count, FROM_SERVER, FROM_CLIENT);
  return swapped > <u32>IDENTIFY_MORE ? swapped | IDENTIFY_SWAPPED : max(score, swapped);
}

/** The score if it is `client` that asks. */
function judge(count: u32, client: u32, server: u32): u32 {
  const there = sample(count, client, asked, SAMPLE);
  const header = requestHeader(asked, there);
  if (header == NO) return IDENTIFY_NO;
  const answer = sample(count, server, answered, RESPONSE_HEADER);
  const isPossible = responseHeader(answered, answer) != NO;
  const isAnswer = isPossible && answer == RESPONSE_HEADER && be32(answered + 4) == be32(asked + 8);
  if (!isPossible && <u32>Chunk.at(0).direction == server) return IDENTIFY_NO;
  if (there < header) return IDENTIFY_MORE;
  if (isAnswer) return CERTAIN;
  const isNamed = header >= REQUEST_HEADER + 2 + TELLING;
  if (answer < RESPONSE_HEADER && isPossible) return isNamed ? CLEAR : IDENTIFY_MORE;
  return isNamed ? LIKELY : IDENTIFY_NO;
}
