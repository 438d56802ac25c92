/** HTTP/1.0 and HTTP/1.1 (RFC 9110, RFC 9112): the module's exports. The wire format is in README.md. */

import { FROM_CLIENT, FROM_SERVER, OPEN_MID_STREAM } from '../sdk/abi';
import { beginOutput, endOutput, enter } from '../sdk/output';
import { identifyChunks } from './detect';
import { consume } from './frame';
import { Connection, SEARCHING } from './state';

export { configure } from '../sdk/headers';
export { abi_version, layout } from '../sdk/module';

export function open(slot: u32, flags: u32): void {
  const connection = changetype<Connection>(slot);
  connection.laidOut = connection.size;
  connection.aligned = (flags & OPEN_MID_STREAM) == 0;
  if (connection.aligned) return;
  connection.direction(FROM_CLIENT).state = <u8>SEARCHING;
  connection.direction(FROM_SERVER).state = <u8>SEARCHING;
}

export function identify(count: u32): u32 {
  return identifyChunks(count);
}

export function run(first: u32, end: u32): u32 {
  beginOutput();
  let index = first;
  while (index < end && consume(enter(index))) index++;
  endOutput();
  return index;
}

export function close(_slot: u32): void {}
