/** One packet of a capture file, whatever the file's format. */
import { PacketTime } from './packet-time.ts';

/** Larger than any packet: IPv6 jumbograms of segmentation offload reach 512 KiB. */
export const PACKET_MAX = 1024 * 1024;

/** The packet a reader stands on: one object, filled again and again. Its bytes are valid until the next is read. */
export class Packet {
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  captured = 0;
  /** Bytes it had on the wire: at least `captured`. */
  wireLength = 0;
  linkType = 0;
  readonly time = new PacketTime();

  /** Lengths are as the file has them, and a hostile file has any. */
  set(linkType: number, bytes: Uint8Array, start: number, captured: number, wireLength: number): void {
    this.linkType = linkType;
    this.bytes = bytes;
    this.start = start;
    this.captured = captured;
    this.wireLength = Math.max(captured, Math.min(wireLength, PACKET_MAX));
  }
}

export interface PacketReader {
  /** Reads the next packet. False at the end of the file. */
  next(packet: Packet): boolean;
  /** The file ended in the middle of a packet. */
  readonly cut: boolean;
}
