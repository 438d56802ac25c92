/** Frames of ask in Node, written and read independently of the parser: README.md has the format. */

export const CALL = 1;
export const ANSWER = 2;
export const CAST = 3;

const MAGIC = 0xa5;
const HEADER_SIZE = 12;
const LENGTH_SIZE = 4;

export interface Frame {
  readonly kind: number;
  readonly id: number;
  /** Of an answer; 0 when all went well. */
  readonly code: number;
  /** Of a call or a cast. */
  readonly method: string;
  readonly payload: Buffer;
}

export function encodeCall(id: number, method: string, payload: Uint8Array, kind = CALL): Buffer {
  const name = Buffer.from(method);
  return encode(kind, id, name.length, Buffer.concat([name, payload]));
}

export function encodeAnswer(id: number, code: number, payload: Uint8Array): Buffer {
  return encode(ANSWER, id, code, payload);
}

function encode(kind: number, id: number, number: number, rest: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER_SIZE);
  header.writeUInt32BE(HEADER_SIZE - LENGTH_SIZE + rest.length, 0);
  header.writeUInt8(MAGIC, 4);
  header.writeUInt8(kind, 5);
  header.writeUInt32BE(id, 6);
  header.writeUInt16BE(number, 10);
  return Buffer.concat([header, rest]);
}

/** Calls `take` for each whole frame, and keeps what is left for the next bytes. */
export function frameReader(take: (frame: Frame) => void): (bytes: Buffer) => void {
  let received: Buffer = Buffer.alloc(0);
  return (bytes) => {
    received = Buffer.concat([received, bytes]);
    while (received.length >= HEADER_SIZE) {
      const size = LENGTH_SIZE + received.readUInt32BE(0);
      if (received.readUInt8(4) !== MAGIC) throw new Error('not a frame of ask');
      if (received.length < size) return;
      take(decode(received.subarray(0, size)));
      received = received.subarray(size);
    }
  };
}

function decode(frame: Buffer): Frame {
  const kind = frame.readUInt8(5);
  const number = frame.readUInt16BE(10);
  const isAnswer = kind === ANSWER;
  const body = HEADER_SIZE + (isAnswer ? 0 : number);
  return {
    kind,
    id: frame.readUInt32BE(6),
    code: isAnswer ? number : 0,
    method: frame.toString('utf8', HEADER_SIZE, body),
    payload: frame.subarray(body),
  };
}
