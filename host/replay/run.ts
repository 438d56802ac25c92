/**
 * A run of stream bytes: `length` of them from `position` on, of which the first `captured` lie at bytes[at].
 * One object is filled again and again for what is in order; what has to wait is copied.
 */
export class Run {
  position = 0;
  length = 0;
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  captured = 0;
  timeLow = 0;
  timeHigh = 0;

  dropFront(count: number): void {
    const dropped = Math.min(count, this.captured);
    this.position = (this.position + count) >>> 0;
    this.length -= count;
    this.at += dropped;
    this.captured -= dropped;
  }

  dropBack(count: number): void {
    this.length -= count;
    this.captured = Math.min(this.captured, this.length);
  }

  /** A part that owns its bytes: from `start` to `end`, counted from the run's first byte. */
  copy(start: number, end: number): Run {
    const part = new Run();
    const first = Math.min(start, this.captured);
    part.position = (this.position + start) >>> 0;
    part.length = end - start;
    part.bytes = this.bytes.slice(this.at + first, this.at + Math.min(end, this.captured));
    part.captured = part.bytes.length;
    part.timeLow = this.timeLow;
    part.timeHigh = this.timeHigh;
    return part;
  }
}
