/**
 * What messages begin with: a type and a length, but for the first ones of a client, which have no type.
 *
 *   0      1        5
 *   │ type │ length │ body …          length counts itself, not the type; numbers are big-endian
 *
 *   0        4      8
 *   │ length │ code │ …               untyped: start-up, or a request for encryption, or for cancelling
 *
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

export const HEADER: u32 = 5;
export const UNTYPED_HEADER: u32 = 8;

// Codes of untyped packets.
export const SSL_REQUEST: u32 = 80877103;
export const GSS_REQUEST: u32 = 80877104;
export const CANCEL_REQUEST: u32 = 80877102;
/** Protocol 3: the major version, in the upper half. */
const MAJOR: u32 = 3;
/** What servers refuse to read more of. */
const START_MAX: u32 = 10000;
/** Process and the longest key of protocol 3.2. */
const CANCEL_MAX: u32 = 268;
/** Servers send and take no longer messages. */
const LENGTH_MAX: u32 = 0x3fffffff;
/** Bounds of messages that hold names, texts and fields, but no values. */
const TEXT_MAX: u32 = 1 << 24;
const SMALL_MAX: u32 = 1 << 16;
/** Longest message that is believed to begin where a client begins to speak, after a loss. */
const TRIAL_MAX: u32 = 1 << 24;

export function isUntyped(length: u32, code: u32): bool {
  if (code == SSL_REQUEST || code == GSS_REQUEST) return length == UNTYPED_HEADER;
  if (code == CANCEL_REQUEST) return length >= 16 && length <= CANCEL_MAX;
  return isStartup(code) && length > UNTYPED_HEADER && length <= START_MAX;
}

export function isStartup(code: u32): bool {
  return code >> 16 == MAJOR;
}

export function fits(type: u32, length: u32, isClient: bool): bool {
  return isClient ? fitsClient(type, length) : fitsServer(type, length);
}

function between(length: u32, least: u32, most: u32): bool {
  return length >= least && length <= most;
}

function fitsClient(type: u32, length: u32): bool {
  switch (type) {
    case 0x51: // Q: query
      return between(length, 5, LENGTH_MAX);
    case 0x50: // P: parse
      return between(length, 8, LENGTH_MAX);
    case 0x42: // B: bind
      return between(length, 12, LENGTH_MAX);
    case 0x45: // E: execute
      return between(length, 9, SMALL_MAX);
    case 0x44: // D: describe
    case 0x43: // C: close
      return between(length, 6, SMALL_MAX);
    case 0x53: // S: sync
    case 0x48: // H: flush
    case 0x58: // X: terminate
    case 0x63: // c: copy done
      return length == 4;
    case 0x64: // d: copy data
      return between(length, 4, LENGTH_MAX);
    case 0x66: // f: copy fail
      return between(length, 5, TEXT_MAX);
    case 0x46: // F: function call
      return between(length, 14, LENGTH_MAX);
    case 0x70: // p: password
      return between(length, 4, SMALL_MAX);
  }
  return false;
}

function fitsServer(type: u32, length: u32): bool {
  switch (type) {
    case 0x44: // D: a row
      return between(length, 6, LENGTH_MAX);
    case 0x64: // d: copy data
      return between(length, 4, LENGTH_MAX);
    case 0x54: // T: fields of rows
    case 0x74: // t: parameters of a statement
      return between(length, 6, TEXT_MAX);
    case 0x43: // C: a command has ended
      return between(length, 5, 256);
    case 0x5a: // Z: ready for the next
      return length == 5;
    case 0x31: // 1: parsed
    case 0x32: // 2: bound
    case 0x33: // 3: closed
    case 0x6e: // n: no rows
    case 0x49: // I: empty query
    case 0x73: // s: portal suspended
    case 0x63: // c: copy done
      return length == 4;
    case 0x45: // E: error
    case 0x4e: // N: notice
      return between(length, 5, TEXT_MAX);
    case 0x47: // G: copy in
    case 0x48: // H: copy out
    case 0x57: // W: copy both
      return between(length, 7, SMALL_MAX);
    case 0x52: // R: authentication
      return between(length, 8, SMALL_MAX);
    case 0x53: // S: parameter
      return between(length, 6, SMALL_MAX);
    case 0x4b: // K: key for cancelling
      return between(length, 12, CANCEL_MAX);
    case 0x41: // A: notification
      return between(length, 10, SMALL_MAX);
    case 0x56: // V: result of a function
      return between(length, 8, LENGTH_MAX);
    case 0x76: // v: another protocol version
      return between(length, 12, SMALL_MAX);
  }
  return false;
}

/** Whether a client that begins to speak may begin with this. */
export function begins(type: u32, length: u32): bool {
  if (type == 0x64 || type == 0x63 || type == 0x66 || type == 0x70 || type == 0x48) return false;
  return length <= TRIAL_MAX;
}

/** Messages of a server that come at any time and answer nothing: notices, notifications, parameters. */
export function isUnasked(type: u32): bool {
  return type == 0x4e || type == 0x41 || type == 0x53;
}
