/**
 * pcap: a 24-byte file header, then packets of a 16-byte header and their bytes, in the writer's byte order.
 * https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/
 *
 *   file:   magic u32 | major u16 | minor u16 | reserved 8 | snap length u32 | FCS and link type u32
 *   packet: seconds u32 | µs or ns u32 | captured u32 | original length u32 | bytes
 */
import type { ByteWindow } from './byte-window.ts';
import { isLinkTypeSupported } from './link.ts';
import { PACKET_MAX, type Packet, type PacketReader } from './packet.ts';

const FILE_HEADER = 24;
const PACKET_HEADER = 16;
/** What the magic, read big-endian, says of byte order and of the unit of the fraction in nanoseconds. */
const FORMATS = new Map([
  [0xa1b2c3d4, { littleEndian: false, fraction: 1000 }],
  [0xd4c3b2a1, { littleEndian: true, fraction: 1000 }],
  [0xa1b23c4d, { littleEndian: false, fraction: 1 }],
  [0x4d3cb2a1, { littleEndian: true, fraction: 1 }],
]);

export class PcapReader implements PacketReader {
  cut = false;
  readonly #window: ByteWindow;
  readonly #littleEndian: boolean;
  readonly #fraction: number;
  readonly #linkType: number;

  private constructor(window: ByteWindow, format: { littleEndian: boolean; fraction: number }) {
    this.#window = window;
    this.#littleEndian = format.littleEndian;
    this.#fraction = format.fraction;
    const major = window.view.getUint16(window.start + 4, this.#littleEndian);
    if (major !== 2) throw window.error(`pcap version ${major} is not known`);
    this.#linkType = window.view.getUint32(window.start + 20, this.#littleEndian) & 0xffff;
    if (!isLinkTypeSupported(this.#linkType)) throw window.error(`link type ${this.#linkType} is not supported`);
    window.advance(FILE_HEADER);
  }

  static open(window: ByteWindow, magic: number): PcapReader | undefined {
    const format = FORMATS.get(magic);
    if (!format) return undefined;
    if (!window.has(FILE_HEADER)) throw window.error('pcap file header is cut off');
    return new PcapReader(window, format);
  }

  next(packet: Packet): boolean {
    const window = this.#window;
    if (!window.has(PACKET_HEADER)) return this.#end();
    const seconds = this.#u32(0);
    const fraction = this.#u32(4);
    const captured = this.#u32(8);
    const wireLength = this.#u32(12);
    if (captured > PACKET_MAX) throw window.error(`packet of ${captured} bytes: the file is damaged`);
    if (!window.has(PACKET_HEADER + captured)) return this.#end();
    packet.set(this.#linkType, window.bytes, window.start + PACKET_HEADER, captured, wireLength);
    packet.time.set(seconds, fraction * this.#fraction);
    window.advance(PACKET_HEADER + captured);
    return true;
  }

  #end(): false {
    this.cut = this.#window.left > 0;
    return false;
  }

  #u32(at: number): number {
    return this.#window.view.getUint32(this.#window.start + at, this.#littleEndian);
  }
}
