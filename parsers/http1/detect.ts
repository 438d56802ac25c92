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

  @inline
  static of(direction: u32): View {
    return changetype<View>(VIEWS + direction * VIEW_SIZE);
  }

  get isSilent(): bool {
    return this.from == this.end;
  }

  /** Whether it begins with a method of the table. */
  get isKnown(): bool {
    return beginsMethod(this.from, this.end);
  }
}

export function identifyChunks(count: u32): u32 {
  const client = look(count, FROM_CLIENT);
  const server = look(count, FROM_SERVER);
  const score = judge(client, server);
  const swapped = judge(server, client);
  return swapped > score && swapped != IDENTIFY_MORE ? swapped | IDENTIFY_SWAPPED : max<u32>(score, swapped);
}

/** Score if `client` asks and `server` answers. What is refused once stays refused, whatever comes after. */
function judge(client: View, server: View): u32 {
  const asks = client.asRequest;
  const answers = server.asResponse;
  if (!client.isSilent && asks == NO) return IDENTIFY_NO;
  if (!server.isSilent && answers == NO) return IDENTIFY_NO;
  if (server.cut && answers == MORE) return IDENTIFY_NO;
  if (client.cut && asks == MORE) return client.isKnown ? LIKELY : IDENTIFY_NO;
  if (asks == YES && answers == YES) return CERTAIN;
  if (asks == YES) return client.isKnown ? CLEAR : UNUSUAL;
  return answers == YES ? CLEAR : IDENTIFY_MORE;
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
  view.from = from;
}
