/** Packets made by hand, layer by layer, for the tests of replay. Defaults make an ordinary packet. */

export interface TcpFields {
  sourcePort?: number;
  destinationPort?: number;
  sequence?: number;
  acknowledgement?: number;
  flags?: string;
  /** Bytes of TCP options. */
  options?: number;
  payload?: Uint8Array | string;
}

const FLAG_BITS: Record<string, number> = { F: 0x01, S: 0x02, R: 0x04, P: 0x08, A: 0x10 };

export function bytesOf(text: Uint8Array | string): Uint8Array {
  return typeof text === 'string' ? new TextEncoder().encode(text) : text;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function u16(value: number, littleEndian = false): Uint8Array {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, value, littleEndian);
  return bytes;
}

export function u32(value: number, littleEndian = false): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, littleEndian);
  return bytes;
}

export function tcp(fields: TcpFields): Uint8Array {
  const { sourcePort = 40000, destinationPort = 80, sequence = 1, acknowledgement = 0, flags = 'A' } = fields;
  const { options = 0, payload = '' } = fields;
  const bits = [...flags].reduce((sum, flag) => sum | (FLAG_BITS[flag] ?? 0), 0);
  return concat(
    u16(sourcePort),
    u16(destinationPort),
    u32(sequence >>> 0),
    u32(acknowledgement >>> 0),
    Uint8Array.of((5 + options / 4) << 4, bits),
    u16(65535),
    u32(0),
    new Uint8Array(options),
    bytesOf(payload),
  );
}

export interface Ipv4Fields {
  source?: readonly number[];
  destination?: readonly number[];
  options?: number;
  protocol?: number;
  id?: number;
  fragmentOffset?: number;
  moreFragments?: boolean;
  totalLength?: number;
}

export function ipv4(payload: Uint8Array, fields: Ipv4Fields = {}): Uint8Array {
  const { source = [10, 0, 0, 1], destination = [10, 0, 0, 2], options = 0, protocol = 6, id = 1 } = fields;
  const { fragmentOffset = 0, moreFragments = false } = fields;
  return concat(
    Uint8Array.of(0x40 | (5 + options / 4), 0),
    u16(fields.totalLength ?? 20 + options + payload.length),
    u16(id),
    u16((moreFragments ? 0x2000 : 0) | (fragmentOffset / 8)),
    Uint8Array.of(64, protocol, 0, 0),
    Uint8Array.from(source),
    Uint8Array.from(destination),
    new Uint8Array(options),
    payload,
  );
}

export interface Ipv6Fields {
  source?: number;
  destination?: number;
  nextHeader?: number;
  payloadLength?: number;
}

/** Addresses are the last byte of fd00::. */
export function ipv6(payload: Uint8Array, fields: Ipv6Fields = {}): Uint8Array {
  const { source = 1, destination = 2, nextHeader = 6, payloadLength = payload.length } = fields;
  const address = (last: number) => Uint8Array.of(0xfd, ...new Array<number>(14).fill(0), last);
  return concat(
    Uint8Array.of(0x60, 0, 0, 0),
    u16(payloadLength),
    Uint8Array.of(nextHeader, 64),
    address(source),
    address(destination),
    payload,
  );
}

/** An IPv6 extension header of 8 × (1 + extra) bytes. */
export function extension(nextHeader: number, payload: Uint8Array, extra = 0): Uint8Array {
  return concat(Uint8Array.of(nextHeader, extra), new Uint8Array(6 + extra * 8), payload);
}

export function ethernet(payload: Uint8Array, type = 0x0800): Uint8Array {
  return concat(new Uint8Array(12), u16(type), payload);
}

/** `tags`: the tag types from the outermost, such as 0x88a8, 0x8100 for QinQ. */
export function vlan(payload: Uint8Array, tags: readonly number[], type = 0x0800): Uint8Array {
  const [outermost, ...inner] = [...tags, type];
  return ethernet(concat(...inner.flatMap((next) => [u16(7), u16(next)]), payload), outermost!);
}

export function cooked(payload: Uint8Array, type = 0x0800): Uint8Array {
  return concat(new Uint8Array(14), u16(type), payload);
}

export function cooked2(payload: Uint8Array, type = 0x0800): Uint8Array {
  return concat(u16(type), new Uint8Array(18), payload);
}

export function loopback(payload: Uint8Array, family: number, littleEndian: boolean): Uint8Array {
  return concat(u32(family, littleEndian), payload);
}
