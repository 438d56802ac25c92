/** MySQL's packets, as many as tests need. https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html */

const PROTOCOL_41 = 0x0000_0200;
const SECURE_CONNECTION = 0x0000_8000;
const DEPRECATE_EOF = 0x0100_0000;
const CAPABILITIES = 1 + PROTOCOL_41 + SECURE_CONNECTION + DEPRECATE_EOF;

export function packet(sequence: number, payload: Uint8Array): Buffer {
  return Buffer.concat([int(payload.length, 3), int(sequence & 255, 1), payload]);
}

export function greeting(): Buffer {
  const capabilities = [int(CAPABILITIES & 0xffff, 2), bytes('!\x02\0'), int(CAPABILITIES >>> 16, 2)];
  const rest = bytes(`\x15${'\0'.repeat(10)}ijklmnopqrst\0`);
  return packet(0, Buffer.concat([bytes('\x0a8.0.36\0'), int(8, 4), bytes('abcdefgh\0'), ...capabilities, rest]));
}

export function login(): Buffer {
  const head = [int(CAPABILITIES, 4), int(1 << 24, 4), bytes('!'), Buffer.alloc(23)];
  return packet(1, Buffer.concat([...head, bytes(`web\0\x14${'p'.repeat(20)}`)]));
}

export function query(text: string): Buffer {
  return packet(0, bytes(`\x03${text}`));
}

/** OK, or with the header fe the end of a result. */
export function ok(sequence: number, affected = 0, header = 0): Buffer {
  return packet(sequence, Buffer.concat([int(header, 1), lengthEncoded(affected), bytes('\0\x02\0\0\0')]));
}

export function error(sequence: number, code: number, state: string, message: string): Buffer {
  return packet(sequence, Buffer.concat([bytes('\xff'), int(code, 2), bytes(`#${state}${message}`)]));
}

/** A result of one column. */
export function result(rows: readonly string[]): Buffer {
  const column = packet(2, bytes(`\x03def\x04shop\x01t\x01t\x02id\x02id\x0c!\0\xff\0\0\0\xfd${'\0'.repeat(5)}`));
  const lines = rows.map((row, index) => packet(3 + index, Buffer.concat([lengthEncoded(row.length), bytes(row)])));
  return Buffer.concat([packet(1, bytes('\x01')), column, ...lines, ok(3 + rows.length, 0, 0xfe)]);
}

function lengthEncoded(value: number): Buffer {
  return value < 0xfb ? int(value, 1) : Buffer.concat([bytes('\xfc'), int(value, 2)]);
}

function int(value: number, size: number): Buffer {
  const all = Buffer.alloc(size);
  all.writeUIntLE(value, 0, size);
  return all;
}

function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
