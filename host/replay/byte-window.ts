/**
 * A window over a file that is read once, from front to back: captures are larger than memory.
 *
 * The rule: after `has(n)` said yes, bytes[start .. start + n) hold the file's bytes from `offset`; the next call of
 * `has`, `advance` or `skip` may move them.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { constants, gunzipSync } from 'node:zlib';

const CHUNK = 256 * 1024;
/** Compressed captures are unpacked in memory, as node:zlib has no stream that can be read synchronously. */
const GUNZIP_MAX = 256 * 1024 * 1024;
const GZIP_MAGIC = 0x1f8b;

/** A file that cannot be read as a capture. */
export class CaptureError extends Error {
  readonly path: string;
  /** Where in the (uncompressed) file. */
  readonly offset: number;

  constructor(path: string, offset: number, what: string) {
    super(`${path}: ${what} (at byte ${offset})`);
    this.name = 'CaptureError';
    this.path = path;
    this.offset = offset;
  }
}

export class ByteWindow {
  readonly path: string;
  bytes: Uint8Array;
  view: DataView;
  start = 0;
  /** Offset in the file of bytes[start]. */
  offset = 0;
  #end = 0;
  #descriptor: number | undefined;

  constructor(path: string) {
    this.path = path;
    this.bytes = new Uint8Array(CHUNK);
    this.view = new DataView(this.bytes.buffer);
    try {
      this.#descriptor = openSync(path, 'r');
      if (this.has(2) && this.view.getUint16(0) === GZIP_MAGIC) this.#unpack();
    } catch (error) {
      this.close();
      throw this.#wrap(error);
    }
  }

  /** Makes the next `count` bytes readable. False when the file ends before. */
  has(count: number): boolean {
    if (this.#end - this.start >= count) return true;
    this.#makeRoom(count);
    while (this.#end - this.start < count) if (this.#fill() === 0) return false;
    return true;
  }

  /** Bytes that are left when `has` said no. */
  get left(): number {
    return this.#end - this.start;
  }

  advance(count: number): void {
    this.start += count;
    this.offset += count;
  }

  /** Passes over bytes that need not be looked at. False when the file ends before. */
  skip(count: number): boolean {
    let rest = count;
    while (rest > 0) {
      if (!this.has(1)) return false;
      const step = Math.min(rest, this.#end - this.start);
      this.advance(step);
      rest -= step;
    }
    return true;
  }

  error(what: string): CaptureError {
    return new CaptureError(this.path, this.offset, what);
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #makeRoom(count: number): void {
    if (this.start + count <= this.bytes.length) return;
    const target = count <= this.bytes.length ? this.bytes : new Uint8Array(count + CHUNK);
    target.set(this.bytes.subarray(this.start, this.#end));
    this.#end -= this.start;
    this.start = 0;
    if (target === this.bytes) return;
    this.bytes = target;
    this.view = new DataView(target.buffer);
  }

  #fill(): number {
    if (this.#descriptor === undefined) return 0;
    try {
      const count = readSync(this.#descriptor, this.bytes, this.#end, this.bytes.length - this.#end, null);
      this.#end += count;
      return count;
    } catch (error) {
      throw this.#wrap(error);
    }
  }

  #unpack(): void {
    this.close();
    // Z_SYNC_FLUSH: a compressed file that was cut off gives what it has.
    const options = { maxOutputLength: GUNZIP_MAX, finishFlush: constants.Z_SYNC_FLUSH };
    const unpacked = gunzipSync(readFileSync(this.path), options);
    this.bytes = unpacked;
    this.view = new DataView(unpacked.buffer, unpacked.byteOffset, unpacked.length);
    this.#end = unpacked.length;
  }

  #wrap(error: unknown): CaptureError {
    if (error instanceof CaptureError) return error;
    const { code, message } = error as NodeJS.ErrnoException;
    const what = code === 'ERR_BUFFER_TOO_LARGE' ? 'too large for a compressed capture: gunzip it first' : message;
    return new CaptureError(this.path, this.offset, what);
  }
}
