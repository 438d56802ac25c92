/**
 * A capture file, packet by packet: pcap or pcapng, told apart by their first four bytes.
 * https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/
 * https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/
 *
 * The rule: a file that stops in the middle of a packet was cut off and is good up to there; a file that contradicts
 * itself is an error with its offset.
 */
import { ByteWindow } from './byte-window.ts';
import type { Packet, PacketReader } from './packet.ts';
import { PcapReader } from './pcap.ts';
import { PcapngReader } from './pcapng.ts';

export class CaptureFile {
  readonly #window: ByteWindow;
  readonly #reader: PacketReader;

  constructor(path: string) {
    this.#window = new ByteWindow(path);
    try {
      this.#reader = openReader(this.#window);
    } catch (error) {
      this.#window.close();
      throw error;
    }
  }

  next(packet: Packet): boolean {
    return this.#reader.next(packet);
  }

  get cut(): boolean {
    return this.#reader.cut;
  }

  close(): void {
    this.#window.close();
  }
}

function openReader(window: ByteWindow): PacketReader {
  if (!window.has(4)) throw window.error(`not a capture: only ${window.left} bytes`);
  const magic = window.view.getUint32(window.start);
  const reader = PcapReader.open(window, magic) ?? PcapngReader.open(window, magic);
  if (reader) return reader;
  const found = magic.toString(16).padStart(8, '0');
  throw window.error(`not a capture: starts with 0x${found}, neither pcap nor pcapng`);
}
