/**
 * What the host tells a module once, before the first connection: settings that its manifest names, one line
 * `name value` for each value, at the start of the input arena.
 *
 *   export function configure(length: u32): u32 {
 *     beginSettings(length);
 *     while (nextSetting()) if (isSetting('http.request.header') && !names.add(settingAt, settingEnd)) return 0;
 *     return 1;
 *   }
 *
 * The arena is overwritten afterwards: what is wanted of it goes into memory of the module's own, which is bounded.
 */

import { findByte, isText } from './bytes';
import { inputArena } from './module';

const LF: u8 = 0x0a;
const SPACE: u8 = 0x20;

/** The value of the setting that `nextSetting` went to. */
export let settingAt: usize = 0;
export let settingEnd: usize = 0;
let nameAt: usize = 0;
let next: usize = 0;
let last: usize = 0;

export function beginSettings(length: u32): void {
  next = inputArena;
  last = inputArena + length;
  settingEnd = inputArena;
}

/** Goes to the next value; false when there is none. */
export function nextSetting(): bool {
  if (next >= last) return false;
  nameAt = next;
  settingEnd = findByte(next, last, LF);
  settingAt = min(findByte(next, settingEnd, SPACE) + 1, settingEnd);
  next = settingEnd + 1;
  return true;
}

/** Whether the value is one of the setting called `name`. */
export function isSetting(name: string): bool {
  return isText(nameAt, settingAt - 1, name);
}
