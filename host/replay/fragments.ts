/**
 * IP fragments put together. https://www.rfc-editor.org/rfc/rfc815
 *
 * The rule: a packet that contradicts itself (overlapping pieces, two ends) is dropped whole, as RFC 5722 demands for
 * IPv6. TCP avoids fragmentation, so few packets are ever open; the oldest gives way to a new one.
 */

const OPEN_MAX = 64;
/** The largest IP payload. */
const LENGTH_MAX = 65535;
/** 64 KiB cut at the smallest MTU of IPv4 hosts, 576 bytes, makes 119. */
const PIECES_MAX = 128;

interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

interface Partial {
  pieces: Piece[];
  length: number;
  /** Known when the last fragment was seen. */
  total: number | undefined;
}

export class Fragments {
  readonly #open = new Map<string, Partial>();

  /** Adds one fragment; returns the whole payload when none is missing any more. */
  add(
    source: Uint8Array,
    destination: Uint8Array,
    id: number,
    offset: number,
    more: boolean,
    bytes: Uint8Array,
  ): Uint8Array | undefined {
    const key = `${source.join('.')} ${destination.join('.')} ${id}`;
    const partial = this.#open.get(key) ?? this.#start(key);
    if (isRepeated(partial, offset, bytes.length)) return undefined;
    if (!accept(partial, offset, more, bytes)) {
      this.#open.delete(key);
      return undefined;
    }
    if (partial.length !== partial.total) return undefined;
    this.#open.delete(key);
    return join(partial);
  }

  #start(key: string): Partial {
    const partial: Partial = { pieces: [], length: 0, total: undefined };
    if (this.#open.size === OPEN_MAX) this.#open.delete(this.#open.keys().next().value!);
    this.#open.set(key, partial);
    return partial;
  }
}

function isRepeated(partial: Partial, offset: number, length: number): boolean {
  return partial.pieces.some((piece) => piece.offset === offset && piece.bytes.length === length);
}

/** False when the piece contradicts what is there. */
function accept(partial: Partial, offset: number, more: boolean, bytes: Uint8Array): boolean {
  const end = offset + bytes.length;
  if (bytes.length === 0 || end > LENGTH_MAX || partial.pieces.length === PIECES_MAX) return false;
  if (more && bytes.length % 8 !== 0) return false;
  if (!more && partial.total !== undefined) return false;
  if (!more) partial.total = end;
  const total = partial.total ?? LENGTH_MAX;
  if (end > total) return false;
  for (const piece of partial.pieces) {
    const pieceEnd = piece.offset + piece.bytes.length;
    if (pieceEnd > total || (piece.offset < end && offset < pieceEnd)) return false;
  }
  partial.pieces.push({ offset, bytes: bytes.slice() });
  partial.length += bytes.length;
  return true;
}

function join(partial: Partial): Uint8Array {
  const whole = new Uint8Array(partial.length);
  for (const piece of partial.pieces) whole.set(piece.bytes, piece.offset);
  return whole;
}
