/**
 * Is it HTTP/1? Asked about the first bytes of both directions: a request line from the client, a status line from the
 * server. Methods are open tokens, so there is no list of magic numbers; one look at the first line decides.
 * A preface of HTTP/2 (`PRI * HTTP/2.0`), RTSP, SIP and ICAP have another version and are refused.
 */

import { FROM_CLIENT, FROM_SERVER, IDENTIFY_MORE, IDENTIFY_NO, IDENTIFY_SWAPPED } from '../sdk/abi';
import { copy, findByte } from '../sdk/bytes';
import { Chunk } from '../sdk/chunk';
import { beginsMethod } from './methods';
import { MORE, NO, requestLineAt, statusLineAt, YES } from './syntax';

/** Both directions speak HTTP/1. */
const CERTAIN: u32 = 100;
/** One direction does, the other has said nothing yet. */
const CLEAR: u32 = 90;
/** The request's method is not one of the table. */
const UNUSUAL: u32 = 70;
/** A first line so long that its end is not to be seen. */
const LIKELY: u32 = 50;
/** The other direction says something else: perhaps a client that tries HTTP on a port of another protocol. */
const DOUBTFUL: u32 = 20;

/** A first line in pieces is put together here; longer ones are judged by their beginning. */
const SCRATCH_SIZE: u32 = 2048;
const SCRATCHES: usize = memory.data(4096, 16);

/** What one direction's first bytes are. `asRequest` and `asResponse` are NO, MORE or YES. */
const VIEW_SIZE: u32 = 32;
const VIEWS: usize = memory.data(64, 8);

@unmanaged
class View {
  from: usize;
  end: usize;
  asRequest: u32;
  asResponse: u32;
  /** The end of the line will not come: it is lost, or too far away. */
  cut: bool;
  known: bool;

  @inline
  static of(direction: u32): View {
    return changetype<View>(VIEWS + direction * VIEW_SIZE);
  }

  get isSilent(): bool {
    return this.from == this.end;
  }

  /** Whether what it says is neither of the two. */
  get isForeign(): bool {
    return !this.isSilent && this.asRequest == NO && this.asResponse == NO;
  }
}

export function identifyChunks(count: u32): u32 {
  const client = look(count, FROM_CLIENT);
  const server = look(count, FROM_SERVER);
  const score = judge(client, server);
  const swapped = judge(server, client);
  if (score == IDENTIFY_NO && swapped == IDENTIFY_NO) {
    if (client.isSilent && server.isSilent) return IDENTIFY_MORE;
    return IDENTIFY_NO;
  }
  return swapped > score ? swapped | IDENTIFY_SWAPPED : score;
}

/** Score if `client` asks and `server` answers. */
function judge(client: View, server: View): u32 {
  const asks = client.asRequest;
  const answers = server.asResponse;
  if (asks == YES) return score(client, server);
  if (answers == YES) return client.isForeign ? DOUBTFUL : CLEAR;
  if (asks == NO && !client.isSilent) return IDENTIFY_NO;
  if (answers == NO && !server.isSilent) return IDENTIFY_NO;
  if (client.cut) return client.known ? LIKELY : IDENTIFY_NO;
  if (server.cut) return IDENTIFY_NO;
  return asks == MORE || answers == MORE ? IDENTIFY_MORE : IDENTIFY_NO;
}

function score(client: View, server: View): u32 {
  if (server.asResponse == YES) return CERTAIN;
  if (!server.isSilent && server.asResponse == NO) return DOUBTFUL;
  return client.known ? CLEAR : UNUSUAL;
}

/** Finds the direction's first line, put together from as many chunks as it takes. */
function look(count: u32, direction: u32): View {
  const view = View.of(direction);
  const scratch = SCRATCHES + direction * SCRATCH_SIZE;
  view.from = scratch;
  view.end = scratch;
  view.cut = false;
  for (let i: u32 = 0; i < count && !view.cut; i++) {
    const chunk = Chunk.at(i);
    if (chunk.direction != direction || chunk.isEnd) continue;
    if (add(view, chunk)) break;
  }
  judgeLine(view);
  return view;
}

/** Adds a chunk; true when the line is complete. A first chunk that holds it is used as it lies. */
function add(view: View, chunk: Chunk): bool {
  if (view.isSilent && findByte(chunk.data, chunk.end, 0x0a) != chunk.end) {
    view.from = chunk.data;
    view.end = chunk.end;
    return true;
  }
  const length = view.end - view.from;
  const room = <usize>SCRATCH_SIZE - length;
  const bytes = <usize>chunk.length < room ? <usize>chunk.length : room;
  copy(view.end, chunk.data, bytes);
  view.end += bytes;
  view.cut = chunk.missing > 0 || bytes < <usize>chunk.length;
  return findByte(view.from, view.end, 0x0a) != view.end;
}

function judgeLine(view: View): void {
  const end = view.end;
  let from = view.from;
  while (from < end && (load<u8>(from) == 0x0d || load<u8>(from) == 0x0a)) from++;
  view.asRequest = from < end ? requestLineAt(from, end) : NO;
  view.asResponse = from < end ? statusLineAt(from, end) : NO;
  view.known = from < end && beginsMethod(from, end);
  view.from = from;
}
