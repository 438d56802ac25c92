/** HTTP/2 (RFC 9113) and gRPC over it: the module's exports. The wire format is in README.md. */

import { beginOutput, endOutput, enter } from '../sdk/output';
import { consume } from './frame';
import { Connection } from './state';

export { configure } from '../sdk/headers';
export { abi_version, layout } from '../sdk/module';
export { identify } from './detect';

export function open(slot: u32, flags: u32): void {
  Connection.at(slot).open(flags);
}

export function run(first: u32, end: u32): u32 {
  beginOutput();
  let index = first;
  while (index < end && consume(enter(index))) index++;
  endOutput();
  return index;
}

export function close(_slot: u32): void {}
