/**
 * A packet as a TCP segment: link layer, IPv4 with options or IPv6 with extension headers, TCP.
 * https://www.rfc-editor.org/rfc/rfc791 https://www.rfc-editor.org/rfc/rfc8200 https://www.rfc-editor.org/rfc/rfc9293
 *
 * The rule: the length of the payload is what the IP header says, not what was captured; headers must have been
 * captured whole, the payload need not. Checksums are not looked at: offloading leaves them wrong in good captures.
 */
import { Fragments } from './fragments.ts';
import { LINK_NOT_IP, LINK_TRUNCATED, LINK_UNSUPPORTED, networkOffset } from './link.ts';
import type { Packet } from './packet.ts';

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const ACK = 0x10;

export const AF_INET = 2;
export const AF_INET6 = 10;

const PROTOCOL_TCP = 6;
const PROTOCOL_FRAGMENT = 44;
const PROTOCOL_AUTHENTICATION = 51;
/** Hop-by-hop, routing, destination options, mobility, HIP, shim6: next header u8, length u8 in units of 8. */
const EXTENSIONS = [0, 43, 60, 135, 139, 140];
const EXTENSIONS_MAX = 16;

/** What a packet turned out to be; each but 'segment' is a counter `packets_<verdict>`. */
export type Verdict = 'segment' | 'link_unsupported' | 'not_ip' | 'not_tcp' | 'fragment' | 'truncated' | 'malformed';

/** The segment a packet holds: one object, filled again and again. */
export class Segment {
  family = AF_INET;
  /** IPv4 addresses take the first four bytes. */
  readonly source = new Uint8Array(16);
  readonly destination = new Uint8Array(16);
  sourcePort = 0;
  destinationPort = 0;
  sequence = 0;
  acknowledgement = 0;
  flags = 0;
  bytes: Uint8Array = new Uint8Array(0);
  /** Where the payload starts in `bytes`. */
  payload = 0;
  /** Payload bytes that were captured. */
  captured = 0;
  /** Payload bytes on the wire. */
  length = 0;
}

export class Decoder {
  readonly segment = new Segment();
  readonly #fragments = new Fragments();
  #bytes: Uint8Array = this.segment.bytes;
  /** Where the next header starts. */
  #at = 0;
  /** Where the captured bytes end. */
  #end = 0;
  /** Where the IP packet ends on the wire; may lie beyond #end. */
  #wireEnd = 0;
  #protocol = 0;

  decode(packet: Packet): Verdict {
    const offset = networkOffset(packet);
    if (offset === LINK_UNSUPPORTED) return 'link_unsupported';
    if (offset === LINK_NOT_IP) return 'not_ip';
    if (offset === LINK_TRUNCATED) return 'truncated';
    this.#bytes = packet.bytes;
    this.#at = packet.start + offset;
    this.#end = packet.start + packet.captured;
    this.#wireEnd = packet.start + packet.wireLength;
    return this.#decodeIp();
  }

  #decodeIp(): Verdict {
    if (this.#at >= this.#end) return 'truncated';
    const version = this.#bytes[this.#at]! >>> 4;
    if (version !== 4 && version !== 6) return 'malformed';
    const verdict = version === 4 ? this.#decodeIpv4() : this.#decodeIpv6();
    if (verdict !== 'segment') return verdict;
    return this.#protocol === PROTOCOL_TCP ? this.#decodeTcp() : 'not_tcp';
  }

  #decodeIpv4(): Verdict {
    const at = this.#at;
    if (at + 20 > this.#end) return 'truncated';
    const headerLength = (this.#bytes[at]! & 0x0f) * 4;
    // A total length of 0 is segmentation offload of a packet over 64 KiB: it ends where the packet ends.
    const totalLength = this.#u16(at + 2) || this.#wireEnd - at;
    if (headerLength < 20 || totalLength < headerLength) return 'malformed';
    this.#protocol = this.#bytes[at + 9]!;
    this.#setAddresses(AF_INET, at + 12, 4);
    this.#at = at + headerLength;
    this.#setEnd(at + totalLength);
    const fragment = this.#u16(at + 6);
    const more = (fragment & 0x2000) !== 0;
    const offset = (fragment & 0x1fff) * 8;
    return more || offset > 0 ? this.#addFragment(this.#u16(at + 4), offset, more) : 'segment';
  }

  #decodeIpv6(): Verdict {
    const at = this.#at;
    if (at + 40 > this.#end) return 'truncated';
    // A payload length of 0 is a jumbogram (RFC 2675): it ends where the packet ends.
    const payloadLength = this.#u16(at + 4) || this.#wireEnd - at - 40;
    this.#protocol = this.#bytes[at + 6]!;
    this.#setAddresses(AF_INET6, at + 8, 16);
    this.#at = at + 40;
    this.#setEnd(at + 40 + payloadLength);
    for (let count = 0; count < EXTENSIONS_MAX; count++) {
      const verdict = this.#passExtension();
      if (verdict !== 'extension') return verdict;
    }
    return 'malformed';
  }

  #passExtension(): Verdict | 'extension' {
    const isFragment = this.#protocol === PROTOCOL_FRAGMENT;
    const isAuthentication = this.#protocol === PROTOCOL_AUTHENTICATION;
    if (!isFragment && !isAuthentication && !EXTENSIONS.includes(this.#protocol)) return 'segment';
    if (this.#at + 8 > this.#wireEnd) return 'malformed';
    if (this.#at + 8 > this.#end) return 'truncated';
    const at = this.#at;
    const units = this.#bytes[at + 1]!;
    this.#protocol = this.#bytes[at]!;
    this.#at += isFragment ? 8 : isAuthentication ? (units + 2) * 4 : (units + 1) * 8;
    if (!isFragment) return 'extension';
    const offset = this.#u16(at + 2) & 0xfff8;
    const more = (this.#bytes[at + 3]! & 1) !== 0;
    // Offset 0 and no more: an atomic fragment (RFC 6946) is a whole packet.
    return more || offset > 0 ? this.#addFragment(this.#u32(at + 4), offset, more) : 'extension';
  }

  /** The last missing fragment makes the whole: then decoding goes on in the bytes put together. */
  #addFragment(id: number, offset: number, more: boolean): Verdict {
    if (this.#protocol !== PROTOCOL_TCP) return 'not_tcp';
    if (this.#wireEnd > this.#end) return 'truncated';
    const piece = this.#bytes.subarray(this.#at, this.#wireEnd);
    const whole = this.#fragments.add(this.segment.source, this.segment.destination, id, offset, more, piece);
    if (!whole) return 'fragment';
    this.#bytes = whole;
    this.#at = 0;
    this.#end = whole.length;
    this.#wireEnd = whole.length;
    return 'segment';
  }

  #decodeTcp(): Verdict {
    const at = this.#at;
    if (at + 20 > this.#wireEnd) return 'malformed';
    if (at + 20 > this.#end) return 'truncated';
    const headerLength = (this.#bytes[at + 12]! >>> 4) * 4;
    if (headerLength < 20 || at + headerLength > this.#wireEnd) return 'malformed';
    const segment = this.segment;
    segment.sourcePort = this.#u16(at);
    segment.destinationPort = this.#u16(at + 2);
    segment.sequence = this.#u32(at + 4);
    segment.acknowledgement = this.#u32(at + 8);
    segment.flags = this.#bytes[at + 13]!;
    segment.bytes = this.#bytes;
    segment.payload = at + headerLength;
    segment.length = this.#wireEnd - segment.payload;
    segment.captured = Math.max(0, Math.min(this.#end - segment.payload, segment.length));
    return 'segment';
  }

  /** The IP header's own length rules: below it lies padding, above it a capture that lost the original length. */
  #setEnd(end: number): void {
    this.#wireEnd = end;
    if (this.#end > end) this.#end = end;
  }

  #setAddresses(family: number, at: number, length: number): void {
    const { source, destination } = this.segment;
    this.segment.family = family;
    for (let i = 0; i < 16; i++) {
      source[i] = i < length ? this.#bytes[at + i]! : 0;
      destination[i] = i < length ? this.#bytes[at + length + i]! : 0;
    }
  }

  #u16(at: number): number {
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!;
  }

  #u32(at: number): number {
    return ((this.#u16(at) << 16) | this.#u16(at + 2)) >>> 0;
  }
}
