/**
 * Reads fields one after the other, and never beyond the end: a read that the bytes do not suffice for gives 0, and so
 * do all after it. So a parser reads a whole header first and asks once whether all of it was there.
 *
 *   const cursor = Cursor.over(frameAt, frameAt + frameKept);
 *   const api = cursor.be16();
 *   const length = cursor.be16();
 *   const name = cursor.bytes(length);
 *   if (!cursor.ok) return giveUpOnFrame();
 *   message.string(RPC_METHOD, name, length);
 *
 * Rule: what `bytes` returns may be read only after `ok`. There is one cursor, and `over` sets it anew; who needs two at
 * a time, places another: `changetype<Cursor>(memory.data(CURSOR_SIZE, 8)).set(from, end)`.
 */

import {
  be16,
  be24,
  be32,
  be64,
  le16,
  le24,
  le32,
  le64,
  VARINT_BAD,
  VARINT_SHORT,
  varint,
  varintValue,
  zigzag,
} from './bytes';

export const CURSOR_SIZE: i32 = 16;

const memoryOfCursor: usize = memory.data(16, 8);
/** What a read gives that has failed. */
const zeros: usize = memory.data(8, 8);

@unmanaged
export class Cursor {
  /** The next byte, and the first one that may not be read. */
  at: usize;
  end: usize;
  /** The bytes ended before a read: with more of them it may succeed. */
  short: bool;
  /** A number that no reader takes: no further byte can help. */
  bad: bool;

  /** The cursor, set to from … end. */
  static over(from: usize, end: usize): Cursor {
    return changetype<Cursor>(memoryOfCursor).set(from, end);
  }

  set(from: usize, end: usize): Cursor {
    this.at = from;
    this.end = end;
    this.short = false;
    this.bad = false;
    return this;
  }

  /** Whether every read so far has succeeded. */
  get ok(): bool {
    return !this.short && !this.bad;
  }

  /** Bytes to come. */
  get left(): u32 {
    return <u32>(this.end - this.at);
  }

  u8(): u32 {
    return load<u8>(this.take(1));
  }

  be16(): u32 {
    return be16(this.take(2));
  }

  be24(): u32 {
    return be24(this.take(3));
  }

  be32(): u32 {
    return be32(this.take(4));
  }

  be64(): u64 {
    return be64(this.take(8));
  }

  le16(): u32 {
    return le16(this.take(2));
  }

  le24(): u32 {
    return le24(this.take(3));
  }

  le32(): u32 {
    return le32(this.take(4));
  }

  le64(): u64 {
    return le64(this.take(8));
  }

  /** An unsigned LEB128 number: protobuf, Kafka. */
  varint(): u64 {
    if (!this.ok) return 0;
    const after = varint(this.at, this.end);
    this.short = after == VARINT_SHORT;
    this.bad = after == VARINT_BAD;
    if (!this.ok) return 0;
    this.at = after;
    return varintValue;
  }

  /** The same, of no more than 32 bits. */
  varint32(): u32 {
    const value = this.varint();
    if (value <= 0xffffffff) return <u32>value;
    this.bad = true;
    return 0;
  }

  /** A signed number in zigzag: protobuf `sint64`, Kafka's varint and varlong. */
  zigzag(): i64 {
    return zigzag(this.varint());
  }

  /** Address of the next `length` bytes, and past them. */
  bytes(length: u32): usize {
    return length <= this.left && this.ok ? this.take(length) : this.fail();
  }

  skip(length: u32): void {
    this.bytes(length);
  }

  /** Address of the next bytes; of zeros when they are not there. At most 8. */
  private take(length: usize): usize {
    if (!this.ok || length > this.end - this.at) return this.fail();
    const at = this.at;
    this.at = at + length;
    return at;
  }

  private fail(): usize {
    if (!this.bad) this.short = true;
    return zeros;
  }
}

if (offsetof<Cursor>() > <usize>CURSOR_SIZE) ERROR('a Cursor exceeds CURSOR_SIZE');
