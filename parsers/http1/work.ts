/**
 * The chunk at work: what the functions of framing and resynchronisation share. It lies in static memory and lives no
 * longer than one chunk; what must outlive it is in the slot.
 */

import { GROW, MESSAGE_SUSPECT } from '../sdk/abi';
import { Chunk } from '../sdk/chunk';
import { hint, Message } from '../sdk/output';
import { HEAD_BYTES } from './head';
import { AFTER_CR, Connection, Direction, LINE_HAS_TEXT, SLOT_LARGE } from './state';

const CR: u8 = 0x0d;

const memoryOfWork: usize = memory.data(40, 8);

@unmanaged
export class Work {
  /** The next byte, the end of the captured ones, and how many are lost behind them. */
  from: usize;
  end: usize;
  missing: u32;
  /** FROM_CLIENT or FROM_SERVER. */
  direction: u32;
  now: u64;
  connection: Connection;
  side: Direction;
  /** The direction's unfinished message: in the output while `open`, else in the slot. */
  message: Message;
  open: bool;
  /** The connection stops to be HTTP/1 here. */
  switched: bool;

  @inline
  static get current(): Work {
    return changetype<Work>(memoryOfWork);
  }

  begin(chunk: Chunk): void {
    this.connection = changetype<Connection>(chunk.slot);
    if (this.connection.laidOut != this.connection.size) this.connection.settle();
    this.direction = chunk.direction & 1;
    this.side = this.connection.direction(this.direction);
    this.from = chunk.data;
    this.end = chunk.end;
    this.missing = chunk.missing;
    this.now = chunk.timestamp;
    this.open = false;
    this.switched = false;
    this.message = changetype<Message>(this.area + HEAD_BYTES);
  }

  get area(): usize {
    return this.connection.area(this.direction);
  }

  get capacity(): u32 {
    return this.connection.capacity(this.direction);
  }

  /** Captured and lost bytes to come in this chunk. */
  get available(): u64 {
    return <u64>(this.end - this.from) + this.missing;
  }

  /** Passes over bytes of the message. */
  pass(bytes: usize): void {
    this.from += bytes;
    this.message.bytes += bytes;
  }

  /** Passes over the rest of a line, its LF included. */
  passLine(lf: usize): void {
    const side = this.side;
    const afterCr = lf > this.from ? load<u8>(lf - 1) == CR : side.is(AFTER_CR);
    if (!afterCr) this.message.flag(MESSAGE_SUSPECT);
    side.flags = 0;
    this.pass(lf + 1 - this.from);
  }

  /** Passes over a line that the chunk cuts off. A CR alone may be the beginning of an empty line's end. */
  passPartOfLine(): void {
    const side = this.side;
    const length = this.end - this.from;
    const endsWithCr = load<u8>(this.end - 1) == CR;
    if (length > 1 || !endsWithCr || side.is(AFTER_CR)) side.set(LINE_HAS_TEXT);
    side.unset(AFTER_CR);
    if (endsWithCr) side.set(AFTER_CR);
    this.pass(length);
  }

  /** Takes the message from the slot back to the output. */
  reopen(): void {
    if (!this.open) this.message = Message.restore(this.area + HEAD_BYTES, this.connection.address);
    this.open = true;
  }

  get canGrow(): bool {
    return this.connection.size < SLOT_LARGE;
  }

  /** Asks for a larger slot; always false: the chunk is to be offered again from `from`. */
  grow(): bool {
    this.open = false;
    this.connection.small = 0;
    hint(this.connection.address, GROW);
    return false;
  }

  /** The message is dropped, or is in the slot again. */
  shut(): void {
    this.open = false;
    this.message = changetype<Message>(this.area + HEAD_BYTES);
  }
}

if (offsetof<Work>() > 40) ERROR('Work outgrows its memory');
