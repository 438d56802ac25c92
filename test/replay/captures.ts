/** Capture files made by hand: pcap and pcapng in all their variants, written to a folder of the test's own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { concat, ethernet, ipv4, type TcpFields, tcp, u16, u32 } from './packets.ts';

export interface Captured {
  bytes: Uint8Array;
  seconds?: number;
  /** Microseconds or nanoseconds, as the file counts. */
  fraction?: number;
  /** Bytes on the wire, when the file keeps fewer. */
  wireLength?: number;
}

export interface PcapFormat {
  littleEndian?: boolean;
  nanoseconds?: boolean;
  linkType?: number;
}

export const ETHERNET = 1;

export function pcap(packets: readonly Captured[], format: PcapFormat = {}): Uint8Array {
  const { littleEndian = true, nanoseconds = false, linkType = ETHERNET } = format;
  const word = (value: number) => u32(value, littleEndian);
  const header = concat(
    word(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4),
    u16(2, littleEndian),
    u16(4, littleEndian),
    new Uint8Array(8),
    word(65535),
    word(linkType),
  );
  const records = packets.map(({ bytes, seconds = 1, fraction = 0, wireLength = bytes.length }) =>
    concat(word(seconds), word(fraction), word(bytes.length), word(wireLength), bytes),
  );
  return concat(header, ...records);
}

/** Writes the blocks of a pcapng file in one byte order. */
export class Pcapng {
  readonly #littleEndian: boolean;

  constructor(littleEndian = true) {
    this.#littleEndian = littleEndian;
  }

  block(type: number, body: Uint8Array): Uint8Array {
    const padded = concat(body, new Uint8Array(-body.length & 3));
    const length = this.#u32(padded.length + 12);
    return concat(this.#u32(type), length, padded, length);
  }

  section(): Uint8Array {
    const body = [this.#u32(0x1a2b3c4d), this.#u16(1), this.#u16(0), this.#u32(0xffffffff), this.#u32(0xffffffff)];
    return this.block(0x0a0d0d0a, concat(...body));
  }

  interface(linkType: number, options: Uint8Array = new Uint8Array(0), snapLength = 0): Uint8Array {
    return this.block(1, concat(this.#u16(linkType), this.#u16(0), this.#u32(snapLength), options));
  }

  /** if_tsresol */
  resolution(value: number): Uint8Array {
    return concat(this.#u16(9), this.#u16(1), Uint8Array.of(value, 0, 0, 0));
  }

  /** if_tsoffset */
  offset(seconds: bigint): Uint8Array {
    const value = new DataView(new ArrayBuffer(8));
    value.setBigInt64(0, seconds, this.#littleEndian);
    return concat(this.#u16(14), this.#u16(8), new Uint8Array(value.buffer));
  }

  enhanced(from: number, time: bigint, bytes: Uint8Array, wireLength = bytes.length): Uint8Array {
    return this.block(6, concat(this.#u32(from), ...this.#packet(time, bytes, wireLength)));
  }

  obsolete(from: number, time: bigint, bytes: Uint8Array): Uint8Array {
    return this.block(2, concat(this.#u16(from), this.#u16(0), ...this.#packet(time, bytes, bytes.length)));
  }

  simple(bytes: Uint8Array, wireLength = bytes.length): Uint8Array {
    return this.block(3, concat(this.#u32(wireLength), bytes));
  }

  #packet(time: bigint, bytes: Uint8Array, wireLength: number): Uint8Array[] {
    const [high, low] = [Number(time >> 32n), Number(time & 0xffffffffn)];
    return [this.#u32(high), this.#u32(low), this.#u32(bytes.length), this.#u32(wireLength), bytes];
  }

  #u16(value: number): Uint8Array {
    return u16(value, this.#littleEndian);
  }

  #u32(value: number): Uint8Array {
    return u32(value, this.#littleEndian);
  }
}

/** A pcap of Ethernet and IPv4 with these segments; a segment `from: 'server'` has addresses and ports swapped. */
export function conversation(segments: readonly (TcpFields & { from?: 'client' | 'server' })[]): Uint8Array {
  return pcap(segments.map((fields, index) => ({ bytes: frame(fields), seconds: 1000 + index })));
}

export function frame(fields: TcpFields & { from?: 'client' | 'server' }): Uint8Array {
  const { from = 'client', sourcePort = 40000, destinationPort = 80 } = fields;
  const [client, server] = [
    [10, 0, 0, 1],
    [10, 0, 0, 2],
  ] as const;
  if (from === 'client') return ethernet(ipv4(tcp(fields), { source: client, destination: server }));
  const swapped = { ...fields, sourcePort: destinationPort, destinationPort: sourcePort };
  return ethernet(ipv4(tcp(swapped), { source: server, destination: client }));
}

let folder: string | undefined;
let files = 0;

afterAll(() => {
  if (folder) rmSync(folder, { recursive: true, force: true });
  folder = undefined;
});

/** Writes a file that is gone after the tests. */
export function fileOf(bytes: Uint8Array, name = `${files++}.pcap`): string {
  folder ??= mkdtempSync(join(tmpdir(), 'spanwire-replay-'));
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}
