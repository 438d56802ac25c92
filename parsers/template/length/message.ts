/**
 * What a frame says, and what is reported of it.
 *
 *   call, notice   u8 length of the name, name, arguments …
 *   result         u16 error code (0: none), value …
 *
 * A result names the id of its call: pairing `key`.
 */
import { MESSAGE_PARTIAL, ONEWAY, REQUEST, RESPONSE } from '../../sdk/abi';
import { Cursor } from '../../sdk/cursor';
import { frameAt, frameBytes, frameFirst, frameKept } from '../../sdk/framer';
import { Message } from '../../sdk/output';
import { RPC_METHOD } from './attributes';
import { HEADER, MARK, NOTICE } from './header';
import { Connection } from './state';

/** With the header, what the area holds. */
const NAME_MAX: u32 = 64;

export function writeFrame(c: Connection, isClient: bool, now: u64): void {
  const header = Cursor.over(frameAt + MARK.length + 4, frameAt + HEADER);
  const kind = header.u8();
  const message = Message.open(c.slot, !isClient ? RESPONSE : kind == NOTICE ? ONEWAY : REQUEST);
  message.key = header.be32();
  message.first = frameFirst;
  message.last = now;
  message.bytes = frameBytes;
  message.bodyBytes = frameBytes - HEADER;
  if (isClient) writeName(message);
  else writeCode(message);
  message.commit();
}

/** The name; without one that can be read, the message is partial. */
function writeName(message: Message): void {
  const cursor = payload();
  const length = cursor.u8();
  const name = cursor.bytes(length);
  if (cursor.ok && length <= NAME_MAX && isName(name, length)) message.string(RPC_METHOD, name, length);
  else message.flag(MESSAGE_PARTIAL);
}

function writeCode(message: Message): void {
  const cursor = payload();
  message.status = cursor.be16();
  if (!cursor.ok) message.flag(MESSAGE_PARTIAL);
}

/** What is kept of the payload. */
function payload(): Cursor {
  return Cursor.over(frameAt + HEADER, frameAt + frameKept);
}

/** Letters, digits and what joins them: `!` to `~`. */
function isName(at: usize, length: u32): bool {
  for (let i: u32 = 0; i < length; i++) if (<u32>load<u8>(at + i) - 0x21 > 0x5d) return false;
  return length > 0;
}
