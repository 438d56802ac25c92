/**
 * What a command name means to this parser: which commands change how later messages are read, and which have a
 * subcommand that belongs to the operation's name.
 * https://redis.io/docs/latest/commands/
 */
import { toLower } from '../sdk/bytes';

/** Longest command or subcommand name that is looked at; Redis and its modules stay well below. */
export const NAME_MAX: u32 = 32;

// Command kinds: how the command bears on the connection.
export const PLAIN: u8 = 0;
/** A container: the next argument is the subcommand. */
export const CONTAINER: u8 = 1;
/** CLIENT: a container whose REPLY changes what gets a response. */
export const CLIENT: u8 = 2;
export const SELECT: u8 = 3;
export const HELLO: u8 = 4;
export const RESET: u8 = 5;
export const MONITOR: u8 = 6;
/** SUBSCRIBE and its kin: a confirmation for each argument. */
export const SUBSCRIBE: u8 = 7;
/** EXEC: what was queued takes effect. */
export const EXEC: u8 = 8;
export const DISCARD: u8 = 9;
/** The connection becomes a replication link, which is no longer request and response. */
export const REPLICATION: u8 = 10;
/** CLIENT REPLY: set once the subcommand is known. */
export const CLIENT_REPLY: u8 = 11;

/** Kind of the command whose upper-case name this is. */
export function kindOf(name: usize, length: u32): u8 {
  switch (length) {
    case 3:
      return is(name, length, 'ACL') ? CONTAINER : PLAIN;
    case 4:
      if (is(name, length, 'EXEC')) return EXEC;
      return is(name, length, 'SYNC') ? REPLICATION : PLAIN;
    case 5:
      return kindOf5(name);
    case 6:
      return kindOf6(name);
    case 7:
      return kindOf7(name);
    case 8:
      if (is(name, length, 'REPLCONF')) return REPLICATION;
      return is(name, length, 'FUNCTION') || is(name, length, 'SENTINEL') ? CONTAINER : PLAIN;
    case 9:
      return is(name, length, 'SUBSCRIBE') ? SUBSCRIBE : PLAIN;
    case 10:
      if (is(name, length, 'COMMANDLOG')) return CONTAINER;
      return is(name, length, 'PSUBSCRIBE') || is(name, length, 'SSUBSCRIBE') ? SUBSCRIBE : PLAIN;
    case 11:
      return is(name, length, 'UNSUBSCRIBE') ? SUBSCRIBE : PLAIN;
    case 12:
      return is(name, length, 'PUNSUBSCRIBE') || is(name, length, 'SUNSUBSCRIBE') ? SUBSCRIBE : PLAIN;
    default:
      return PLAIN;
  }
}

function kindOf5(name: usize): u8 {
  if (is(name, 5, 'HELLO')) return HELLO;
  if (is(name, 5, 'RESET')) return RESET;
  if (is(name, 5, 'PSYNC')) return REPLICATION;
  return is(name, 5, 'XINFO') || is(name, 5, 'DEBUG') ? CONTAINER : PLAIN;
}

function kindOf6(name: usize): u8 {
  if (is(name, 6, 'SELECT')) return SELECT;
  if (is(name, 6, 'CLIENT')) return CLIENT;
  if (is(name, 6, 'CONFIG') || is(name, 6, 'MEMORY') || is(name, 6, 'OBJECT')) return CONTAINER;
  if (is(name, 6, 'SCRIPT') || is(name, 6, 'XGROUP') || is(name, 6, 'PUBSUB')) return CONTAINER;
  return is(name, 6, 'MODULE') ? CONTAINER : PLAIN;
}

function kindOf7(name: usize): u8 {
  if (is(name, 7, 'MONITOR')) return MONITOR;
  if (is(name, 7, 'DISCARD')) return DISCARD;
  if (is(name, 7, 'CLUSTER') || is(name, 7, 'COMMAND')) return CONTAINER;
  return is(name, 7, 'LATENCY') || is(name, 7, 'SLOWLOG') ? CONTAINER : PLAIN;
}

/** Whether the bytes are this ASCII word. The word is a constant of the module: nothing is allocated. */
export function is(text: usize, length: u32, word: string): bool {
  if (<u32>word.length != length) return false;
  const units = changetype<usize>(word);
  for (let i: u32 = 0; i < length; i++) {
    if (<u16>load<u8>(text + i) != load<u16>(units + (i << 1))) return false;
  }
  return true;
}

/** The same, whatever the case of the text; the word is in upper case. */
export function isAnyCase(text: usize, length: u32, word: string): bool {
  if (<u32>word.length != length) return false;
  const units = changetype<usize>(word);
  for (let i: u32 = 0; i < length; i++) {
    if (toUpper(load<u8>(text + i)) != <u32>load<u16>(units + (i << 1))) return false;
  }
  return true;
}

export function toUpper(byte: u32): u32 {
  return byte - 0x61 < 26 ? byte ^ 0x20 : byte;
}

export function copyUpper(to: usize, from: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) store<u8>(to + i, <u8>toUpper(load<u8>(from + i)));
}

/** Whether the bytes can be the name of a command: a letter, then letters, digits and `. _ - |`. */
export function isName(text: usize, length: u32): bool {
  if (length == 0 || length > NAME_MAX || toLower(load<u8>(text)) - 0x61 >= 26) return false;
  for (let i: u32 = 1; i < length; i++) if (!isNameByte(load<u8>(text + i))) return false;
  return true;
}

export function isNameByte(byte: u32): bool {
  if ((byte | 0x20) - 0x61 < 26 || byte - 0x30 < 10) return true;
  return byte == 0x2e || byte == 0x5f || byte == 0x2d || byte == 0x7c;
}
