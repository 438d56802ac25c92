/** An entry of the dynamic table: where its text stands, and what is known of it. */

export const ENTRY_SIZE: u32 = 16;

/** A field as it was added. */
@unmanaged
export class Entry {
  offset: u32;
  nameLength: u16;
  valueLength: u16;
  /** UNKNOWN_NAME, UNKNOWN_VALUE, IS_LOST, VARIES; how often it was referred to; the static entry of its name; its tag. */
  flags: u32;
  nameHash: u32;

  get uses(): u32 {
    return (this.flags >> USES_SHIFT) & USES_MAX;
  }

  /** First static entry of its name; 0 when there is none, or it was not taken from there. */
  get origin(): u32 {
    return (this.flags >> ORIGIN_SHIFT) & ORIGIN_MAX;
  }

  /** What the parser calls its name; 0 until it has said so. */
  get tag(): u32 {
    return this.flags >> TAG_SHIFT;
  }

  set tag(value: u32) {
    this.flags = (this.flags & ~(0xff << TAG_SHIFT)) | (value << TAG_SHIFT);
  }

  use(): void {
    if (this.uses < USES_MAX) this.flags += 1 << USES_SHIFT;
  }
}

export const UNKNOWN_NAME: u32 = 1;
export const UNKNOWN_VALUE: u32 = 2;
/** Stands for an entry of a missed block; its size is not known. */
export const IS_LOST: u32 = 4;
/** There were other values of that name. */
export const VARIES: u32 = 8;
const USES_SHIFT: u32 = 8;
const USES_MAX: u32 = 255;
export const ORIGIN_SHIFT: u32 = 16;
const ORIGIN_MAX: u32 = 255;
const TAG_SHIFT: u32 = 24;

if (offsetof<Entry>() != ENTRY_SIZE) ERROR('Entry has another size');
