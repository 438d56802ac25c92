/**
 * What the client has asked for and the server has not answered yet, in order: in the slot, run by run.
 *
 *   u16: 3 bits of kind, 13 bits of how many in a row          E E E S Q → EXECUTE×3 SYNC×1 QUERY×1
 */

// Kinds of units.
export const NONE: u32 = 0;
/** A simple query or a function call: answered up to ReadyForQuery. */
export const QUERY: u32 = 1;
/** Answered by CommandComplete, or what stands in its place. */
export const EXECUTE: u32 = 2;
/** Answered by ReadyForQuery. */
export const SYNC: u32 = 3;
/** CopyDone or CopyFail, which has no answer of its own. */
export const COPY_END: u32 = 4;
/** The start-up packet: answered up to the first ReadyForQuery. */
export const START: u32 = 5;

export const RUNS_MAX: u32 = 256;
const COUNT_BITS: u32 = 13;
const COUNT_MAX: u32 = 0x1fff;

@unmanaged
export class Queue {
  first: u16;
  runs: u16;

  clear(): void {
    this.first = 0;
    this.runs = 0;
  }

  get head(): u32 {
    return this.runs > 0 ? <u32>load<u16>(this.at(0)) >> COUNT_BITS : NONE;
  }

  /** False when there is no room. */
  push(kind: u32): bool {
    if (this.runs > 0) {
      const last = this.at(this.runs - 1);
      const run = <u32>load<u16>(last);
      if (run >> COUNT_BITS == kind && (run & COUNT_MAX) < COUNT_MAX) {
        store<u16>(last, <u16>(run + 1));
        return true;
      }
    }
    if (this.runs == <u16>RUNS_MAX) return false;
    store<u16>(this.at(this.runs), <u16>((kind << COUNT_BITS) | 1));
    this.runs++;
    return true;
  }

  pop(): void {
    const run = <u32>load<u16>(this.at(0));
    if ((run & COUNT_MAX) > 1) {
      store<u16>(this.at(0), <u16>(run - 1));
      return;
    }
    this.first = <u16>((<u32>this.first + 1) % RUNS_MAX);
    this.runs--;
  }

  /**
   * Servers ignore a Sync that comes while data is copied in: takes out those behind the head up to the end of the
   * copying, and that, too. False when that end is yet to come.
   */
  dropSyncs(): bool {
    const head = <u32>load<u16>(this.at(0));
    if ((head & COUNT_MAX) > 1) return true;
    let index: u32 = 1;
    while (index < <u32>this.runs && this.kindAt(index) == SYNC) index++;
    const isOver = index < <u32>this.runs && this.kindAt(index) == COPY_END;
    if (isOver) index++;
    this.first = <u16>((<u32>this.first + index - 1) % RUNS_MAX);
    this.runs -= <u16>(index - 1);
    store<u16>(this.at(0), <u16>head);
    return isOver;
  }

  /** Whether anything of a kind waits. */
  has(kind: u32): bool {
    for (let i: u32 = 0; i < <u32>this.runs; i++) if (this.kindAt(i) == kind) return true;
    return false;
  }

  private kindAt(index: u32): u32 {
    return <u32>load<u16>(this.at(index)) >> COUNT_BITS;
  }

  /** The runs lie behind the fields. */
  private at(index: u32): usize {
    return changetype<usize>(this) + 4 + (((<u32>this.first + index) % RUNS_MAX) << 1);
  }
}

export const QUEUE_SIZE: u32 = 4 + RUNS_MAX * 2;
if (offsetof<Queue>() != 4) ERROR('the runs of a Queue do not lie behind its fields');
