/**
 * How many entries were added while blocks were missed, told by the blocks since.
 *
 * Encoders say the same again: a block that lists the same names, in the same order, as one from before the loss. Under
 * a wrong shift its references to old entries have other names, and the names make no sequence that was seen.
 *
 *   before   │ te │ user-agent │ :authority │                    62 63 64
 *   since    │ ??? │ te │ user-agent │ :authority │              63 64 65: the names fit if one was added, and only then
 *
 * A block may also refer to an entry that was added in the missed blocks, as to a new date: then one of a few names that
 * no message depends on is tried for it, and its value stays unknown.
 *
 * Rule: it speaks for a shift only if references fall on steady entries, whose name has never had another value. There
 * is one entry of such a name, so a wrong shift fits only if each of these names was added anew in the missed blocks,
 * with its first other value, and all in their old order. What that is worth depends on how often they had been used.
 */

import { UNKNOWN_NAME } from './entry';
import { staticHash } from './static-table';
import { Table } from './table';

/** Work on a block: fields × shifts. */
const FIELDS: u32 = 32;
const SHIFTS: u32 = 32;

/** So many steady names in a block need fewer blocks. */
const MANY: u32 = 3;

/** For each field u32 hash of its name, or the number of an old entry; u32 whether it is one. */
const NOTES: usize = memory.data(256, 8);
let count: u32 = 0;
/** Least and greatest number of an old entry. */
let least: u32 = 0;
let most: u32 = 0;
/** Of the shift that was tried last: steady entries, how often one of them was used, and which is the youngest. */
let steady: u32 = 0;
let uses: u32 = 0;
let youngest: u32 = 0;
/** And the entry added in the missed blocks that the block refers to, as a number of an old one, and its static entry. */
const NONE: u32 = 0xffffffff;
let missed: u32 = 0xffffffff;
let missedName: u32 = 0;

/**
 * Names of fields that servers add anew every now and then and that no message depends on: date, age, etag, last-modified.
 * So a wrong one does no harm.
 */
const PASSING: usize = memory.data<u8>([33, 21, 34, 44]);
const PASSING_COUNT: usize = 4;

export function beginNotes(): void {
  count = 0;
  least = 0xffffffff;
  most = 0;
}

/** False: there are too many. */
export function noteName(hash: u32): bool {
  return note(hash, 0);
}

/** A field whose name, or all of it, is an old entry's, if nothing was missed. */
export function noteOld(index: u32): bool {
  least = min(least, index);
  most = max(most, index);
  return note(index, 1);
}

function note(what: u32, isOld: u32): bool {
  if (count == FIELDS) return false;
  store<u32>(NOTES + (count << 3), what);
  store<u32>(NOTES + (count << 3), isOld, 4);
  count++;
  return true;
}

/** The names of fields, one after the other. */
export function chain(sequence: u32, hash: u32): u32 {
  return (rotl<u32>(sequence, 5) ^ hash) * 0x9e3779b1;
}

/** A whole block was noted: what it says of the shift, which may be enough. */
export function weigh(table: Table): void {
  let fits: u32 = 0;
  if (least <= most) {
    const end = min(most + 1, SHIFTS);
    for (let shift: u32 = most < table.old ? 0 : most + 1 - table.old; shift < end; shift++) {
      if (isFit(table, shift)) fits |= 1 << shift;
    }
  }
  if (fits == 0) {
    table.wait();
    return;
  }
  table.waited = 0;
  table.shifts &= fits;
  if (table.shifts == 0) table.doubtAgain();
  else if (popcnt(table.shifts) == 1) judge(table, ctz(table.shifts));
}

function judge(table: Table, shift: u32): void {
  isFit(table, shift);
  // Where older ones may lie below, a greater shift would bring them to the place of those that are known.
  if (table.isForgetful || (table.hasBelow && shift > 0) || table.mayBeDropped(youngest, shift)) return;
  table.fitting = <u8>min<u32>(table.fitting + 1, 255);
  if (table.fitting >= (steady >= MANY ? enoughOfMany() : enough())) {
    table.settle(shift, missed, missedName);
  }
}

/**
 * Blocks that are wanted. Of values that are mixed at random, a second one may come up in the missed blocks for the first
 * time after `uses` of the first, and then in so many blocks in a row: all in all once in a million losses.
 */
function enough(): u32 {
  if (uses >= 128) return 2;
  if (uses >= 64) return 3;
  if (uses >= 32) return 4;
  if (uses >= 16) return 6;
  return uses >= 8 ? 10 : 24;
}

/** All of them would have changed at once. */
function enoughOfMany(): u32 {
  if (uses >= 64) return 1;
  if (uses >= 32) return 2;
  if (uses >= 16) return 3;
  return uses >= 8 ? 5 : 16;
}

/** Whether the block, under that shift, has names as one before. */
function isFit(table: Table, shift: u32): bool {
  missed = NONE;
  missedName = 0;
  if (hasNames(table, shift, 0)) return true;
  if (missed == NONE) return false;
  for (let i: usize = 0; i < PASSING_COUNT; i++) {
    missedName = load<u8>(PASSING + i);
    if (hasNames(table, shift, staticHash(missedName))) return true;
  }
  return false;
}

/** `name`: hash of the one that an entry of the missed blocks may have. */
function hasNames(table: Table, shift: u32, name: u32): bool {
  let sequence: u32 = 0;
  steady = 0;
  uses = 0;
  youngest = 0xffffffff;
  for (let i: u32 = 0; i < count; i++) {
    const what = load<u32>(NOTES + (i << 3));
    if (load<u32>(NOTES + (i << 3), 4) == 0) {
      sequence = chain(sequence, what);
      continue;
    }
    if (what < shift) {
      // Of one more nobody knows the name.
      if (missed != NONE && missed != what) return false;
      missed = what;
      sequence = chain(sequence, name);
      continue;
    }
    const entry = table.oldEntry(what - shift);
    if ((entry.flags & UNKNOWN_NAME) != 0) return false;
    sequence = chain(sequence, entry.nameHash);
    if (!table.isSteady(entry) || wasNoted(i, what)) continue;
    steady++;
    uses = max(uses, entry.uses);
    youngest = min(youngest, what - shift);
  }
  return steady > 0 && table.isLearned(sequence);
}

/** The same entry counts once. */
function wasNoted(end: u32, what: u32): bool {
  for (let i: u32 = 0; i < end; i++) {
    if (load<u32>(NOTES + (i << 3)) == what && load<u32>(NOTES + (i << 3), 4) != 0) return true;
  }
  return false;
}

if (FIELDS * 8 != 256) ERROR('NOTES has another size');
