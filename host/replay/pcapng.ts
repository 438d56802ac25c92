/**
 * pcapng: blocks of type u32 | length u32 | body | length u32. A section header sets the byte order of what follows
 * and forgets the interfaces; interface blocks give link type and clock; packets name their interface.
 * https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/
 *
 *   enhanced packet: interface u32 | time high u32 | time low u32 | captured u32 | original u32 | bytes, options
 *   obsolete packet: interface u16 | drops u16     | the same as above
 *   simple packet:   original u32 | bytes          (no time, interface 0)
 */
import type { ByteWindow } from './byte-window.ts';
import { PACKET_MAX, type Packet, type PacketReader } from './packet.ts';
import { MICROSECONDS, TimeUnit } from './packet-time.ts';

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Type and both lengths. */
const BLOCK_OVERHEAD = 12;
const PACKET_FIELDS = 20;
const OPTION_END = 0;
const OPTION_RESOLUTION = 9;
const OPTION_OFFSET = 14;
/** A section that describes more is not one that a capture program wrote. */
const INTERFACES_MAX = 4096;

interface Interface {
  readonly linkType: number;
  readonly snapLength: number;
  readonly unit: TimeUnit;
}

export class PcapngReader implements PacketReader {
  cut = false;
  readonly #window: ByteWindow;
  #littleEndian = true;
  #interfaces: Interface[] = [];

  private constructor(window: ByteWindow) {
    this.#window = window;
  }

  static open(window: ByteWindow, magic: number): PcapngReader | undefined {
    return magic === SECTION_HEADER ? new PcapngReader(window) : undefined;
  }

  next(packet: Packet): boolean {
    const window = this.#window;
    while (window.has(BLOCK_OVERHEAD)) {
      const type = window.view.getUint32(window.start, this.#littleEndian);
      if (type === SECTION_HEADER) this.#startSection();
      const length = this.#blockLength();
      if (!this.#isRead(type)) {
        if (!window.skip(length)) return this.#end(true);
        continue;
      }
      if (length > PACKET_MAX) throw window.error(`block of ${length} bytes: the file is damaged`);
      if (!window.has(length)) return this.#end(true);
      this.#checkTrailer(length);
      const found = this.#readBlock(type, length, packet);
      window.advance(length);
      if (found) return true;
    }
    return this.#end(window.left > 0);
  }

  #end(cut: boolean): false {
    this.cut = cut;
    return false;
  }

  #isRead(type: number): boolean {
    return type === INTERFACE || type === ENHANCED_PACKET || type === SIMPLE_PACKET || type === OBSOLETE_PACKET;
  }

  #startSection(): void {
    const { view, start } = this.#window;
    this.#littleEndian = view.getUint32(start + 8, true) === BYTE_ORDER_MAGIC;
    if (!this.#littleEndian && view.getUint32(start + 8) !== BYTE_ORDER_MAGIC) {
      throw this.#window.error('section header without its byte order mark');
    }
    this.#interfaces = [];
  }

  #blockLength(): number {
    const length = this.#u32(4);
    if (length < BLOCK_OVERHEAD || length % 4 !== 0) throw this.#window.error(`block of ${length} bytes`);
    return length;
  }

  #checkTrailer(length: number): void {
    const trailer = this.#u32(length - 4);
    if (trailer !== length) throw this.#window.error(`block of ${length} bytes ends with length ${trailer}`);
  }

  #readBlock(type: number, length: number, packet: Packet): boolean {
    if (type === INTERFACE) {
      this.#addInterface(length);
      return false;
    }
    return type === SIMPLE_PACKET ? this.#readSimple(length, packet) : this.#readEnhanced(type, length, packet);
  }

  #readEnhanced(type: number, length: number, packet: Packet): boolean {
    if (length < BLOCK_OVERHEAD + PACKET_FIELDS) throw this.#window.error(`packet block of ${length} bytes`);
    const from = this.#interfaceAt(type === OBSOLETE_PACKET ? this.#u16(8) : this.#u32(8));
    const captured = this.#u32(20);
    if (captured > length - BLOCK_OVERHEAD - PACKET_FIELDS) {
      throw this.#window.error(`packet of ${captured} bytes in a block of ${length}`);
    }
    from.unit.convert(this.#u32(12), this.#u32(16), packet.time);
    packet.set(from.linkType, this.#window.bytes, this.#window.start + 8 + PACKET_FIELDS, captured, this.#u32(24));
    return true;
  }

  /** A simple packet has no time of its own: it keeps that of the packet before it. */
  #readSimple(length: number, packet: Packet): boolean {
    if (length < BLOCK_OVERHEAD + 4) throw this.#window.error(`packet block of ${length} bytes`);
    const from = this.#interfaceAt(0);
    const wireLength = this.#u32(8);
    const snapLength = from.snapLength === 0 ? PACKET_MAX : from.snapLength;
    const captured = Math.min(wireLength, snapLength, length - BLOCK_OVERHEAD - 4);
    packet.set(from.linkType, this.#window.bytes, this.#window.start + 12, captured, wireLength);
    return true;
  }

  #interfaceAt(index: number): Interface {
    const found = this.#interfaces[index];
    if (!found) throw this.#window.error(`packet of interface ${index}, which is not described`);
    return found;
  }

  #addInterface(length: number): void {
    if (length < BLOCK_OVERHEAD + 8) throw this.#window.error(`interface block of ${length} bytes`);
    if (this.#interfaces.length === INTERFACES_MAX) throw this.#window.error('too many interfaces');
    const unit = this.#readClock(16, length - 4);
    this.#interfaces.push({ linkType: this.#u16(8), snapLength: this.#u32(12), unit });
  }

  /** Options: code u16 | length u16 | value, padded to 4. */
  #readClock(from: number, end: number): TimeUnit {
    let resolution = 6;
    let offset = 0;
    let at = from;
    while (at + 4 <= end) {
      const code = this.#u16(at);
      const length = this.#u16(at + 2);
      if (code === OPTION_END || at + 4 + length > end) break;
      if (code === OPTION_RESOLUTION && length === 1) resolution = this.#u8(at + 4);
      if (code === OPTION_OFFSET && length === 8) offset = this.#i64(at + 4);
      at += 4 + ((length + 3) & ~3);
    }
    return resolution === 6 && offset === 0 ? MICROSECONDS : new TimeUnit(resolution, offset);
  }

  #u8(at: number): number {
    return this.#window.view.getUint8(this.#window.start + at);
  }

  #u16(at: number): number {
    return this.#window.view.getUint16(this.#window.start + at, this.#littleEndian);
  }

  #u32(at: number): number {
    return this.#window.view.getUint32(this.#window.start + at, this.#littleEndian);
  }

  #i64(at: number): number {
    return Number(this.#window.view.getBigInt64(this.#window.start + at, this.#littleEndian));
  }
}
