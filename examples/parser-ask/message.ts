/**
 * What is reported of a frame: times, sizes, the id as correlation key; of a call its method, of an answer its code.
 * No byte of a payload leaves this parser.
 */
import { MESSAGE_ERROR, MESSAGE_NO_RESPONSE, MESSAGE_PARTIAL, REQUEST, RESPONSE } from '../sdk/abi';
import { be16, be32 } from '../sdk/bytes';
import { frameAt, frameBytes, frameFirst, frameKept } from '../sdk/framer';
import { Message } from '../sdk/output';
import { ASK_REQUEST_ID, RPC_METHOD } from './attributes';
import { ANSWER, CAST, HEADER_SIZE, ID, KIND, NUMBER } from './header';

/** The frame described by framer.ts has gone by, its last byte at `now`. */
export function writeMessage(slot: u32, now: u64): void {
  const isAnswer = load<u8>(frameAt, KIND) == ANSWER;
  const message = Message.open(slot, isAnswer ? RESPONSE : REQUEST);
  message.key = be32(frameAt + ID);
  message.first = frameFirst;
  message.last = now;
  message.bytes = frameBytes;
  message.bodyBytes = frameBytes - HEADER_SIZE;
  if (isAnswer) describeAnswer(message);
  else describeCall(message);
  message.commit();
}

function describeCall(message: Message): void {
  const method = be16(frameAt + NUMBER);
  message.bodyBytes -= method;
  if (load<u8>(frameAt, KIND) == CAST) message.flag(MESSAGE_NO_RESPONSE);
  if (frameKept >= HEADER_SIZE + method) message.string(RPC_METHOD, frameAt + HEADER_SIZE, method);
  else message.flag(MESSAGE_PARTIAL);
  message.int(ASK_REQUEST_ID, be32(frameAt + ID));
}

function describeAnswer(message: Message): void {
  const code = be16(frameAt + NUMBER);
  message.status = code;
  if (code != 0) message.flag(MESSAGE_ERROR);
}
