/**
 * What a frame begins with, as far as it makes one recognisable.
 *
 *     0     4        6         8               12          14
 *     size  API key  version   correlation id  length      client id … tagged fields if flexible · body    request
 *     size  correlation id     tagged fields if flexible · body                                            response
 */
import { be16, be32 } from '../sdk/bytes';
import { API_VERSIONS, APIS, CONTROLLED_SHUTDOWN, isFlexible, isKnown, PRODUCE } from './apis';
import { CLIENT_ID_MAX } from './state';

/** Of a request, without its client id; of a response. */
export const REQUEST_HEADER: u32 = 12;
export const RESPONSE_HEADER: u32 = 8;
/** The bytes that the size does not count. */
export const SIZE: u32 = 4;
/** Largest frame. Brokers take 100 MiB unless told otherwise. */
export const FRAME_MAX: u32 = 0x07ffffff;
/** Largest request that is found again or identified and is no Produce. */
const OTHER_MAX: u32 = 4 << 20;
/** Smallest response that is found again: correlation id and error code. */
const RESPONSE_MIN: u32 = 6;

/** Highest version of ApiVersions that somebody may ask for. */
const API_VERSIONS_MAX: u32 = 15;

export const NO: u32 = 0;

/**
 * The length of a request header with its client id, as much of it as is there being possible; NO when it is none. The
 * answer may grow with more bytes: it is final when no more than `there`.
 */
export function requestHeader(at: usize, there: u32): u32 {
  if (there > 0 && load<u8>(at) > <u8>(FRAME_MAX >>> 24)) return NO;
  if (there > 4 && load<u8>(at, 4) != 0) return NO;
  if (there > 5 && <u32>load<u8>(at, 5) >= APIS) return NO;
  if (there < REQUEST_HEADER) return REQUEST_HEADER;
  const api = be16(at + 4);
  const version = be16(at + 6);
  const size = be32(at);
  if (!isAsked(api, version) || be32(at + 8) > 0x7fffffff) return NO;
  if (api != PRODUCE && size > OTHER_MAX) return NO;
  if (api == CONTROLLED_SHUTDOWN && version == 0) return size >= REQUEST_HEADER - SIZE ? REQUEST_HEADER : NO;
  const fixed = REQUEST_HEADER + 2;
  if (there < fixed) return fixed;
  const length = be16(at + REQUEST_HEADER);
  const clientId: u32 = length == 0xffff ? 0 : length;
  if (clientId > CLIENT_ID_MAX || size < fixed - SIZE + clientId + u32(isFlexible(api, version))) return NO;
  return isPrintable(at + fixed, min(clientId, there - fixed)) ? fixed + clientId : NO;
}

/** The length of a response header whose size is possible, or NO. */
export function responseHeader(at: usize, there: u32): u32 {
  if (there > 0 && load<u8>(at) > <u8>(FRAME_MAX >>> 24)) return NO;
  if (there < RESPONSE_HEADER) return RESPONSE_HEADER;
  return be32(at) >= RESPONSE_MIN ? RESPONSE_HEADER : NO;
}

/** A client may ask for the versions in a version that is not known here: the answer comes in version 0. */
function isAsked(api: u32, version: u32): bool {
  return isKnown(api, version) || (api == API_VERSIONS && version <= API_VERSIONS_MAX);
}

function isPrintable(at: usize, length: u32): bool {
  for (let i: u32 = 0; i < length; i++) if (<u32>load<u8>(at + i) - 0x20 > 0x5e) return false;
  return true;
}
