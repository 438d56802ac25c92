/** WebSocket (RFC 6455) behind its handshake: frames are counted. The exports of ABI v1; the wire format is in README.md. */
import { beginOutput, endOutput, enter } from '../sdk/output';
import { consume } from './frame';
import { Connection } from './state';

export { abi_version, layout } from '../sdk/module';

export function open(slot: u32, flags: u32): void {
  Connection.at(slot).open(flags);
}

/** Frames say too little to be recognised by: a connection comes here by its handshake, which the HTTP parser sees. */
export function identify(_count: u32): u32 {
  return 0;
}

export function close(_slot: u32): void {}

export function run(first: u32, end: u32): u32 {
  beginOutput();
  let index = first;
  while (index < end && consume(enter(index))) index++;
  endOutput();
  return index;
}
