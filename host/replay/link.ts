/**
 * The link layer: where in a packet the IP header starts. https://www.tcpdump.org/linktypes.html
 *
 * The rule: the return value is an offset from the packet's start, or one of the negative reasons. Nothing is read
 * beyond `captured`.
 */
import { Packet } from './packet.ts';

export const LINK_UNSUPPORTED = -1;
export const LINK_NOT_IP = -2;
export const LINK_TRUNCATED = -3;

const LINKTYPE_NULL = 0;
const LINKTYPE_ETHERNET = 1;
const LINKTYPE_RAW = 101;
const LINKTYPE_LOOP = 108;
const LINKTYPE_LINUX_SLL = 113;
const LINKTYPE_IPV4 = 228;
const LINKTYPE_IPV6 = 229;
const LINKTYPE_LINUX_SLL2 = 276;
/** What raw IP was called before it had a number of its own: DLT_RAW of most systems, and of OpenBSD. */
const DLT_RAW = 12;
const DLT_RAW_OPENBSD = 14;

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** 802.1Q, 802.1ad, and what QinQ used before it was standardised. */
const VLAN_TAGS = [0x8100, 0x88a8, 0x9100];
/** No switch stacks more. */
const VLAN_TAGS_MAX = 4;

/** AF_INET, and AF_INET6 as Linux, NetBSD and OpenBSD, FreeBSD, and macOS number it. */
const LOOPBACK_FAMILIES = [2, 10, 24, 28, 30];

export function isLinkTypeSupported(linkType: number): boolean {
  const probe = new Packet();
  probe.linkType = linkType;
  return networkOffset(probe) !== LINK_UNSUPPORTED;
}

/** Offset of the IP header from the packet's start, or a negative LINK_ reason. */
export function networkOffset(packet: Packet): number {
  switch (packet.linkType) {
    case LINKTYPE_ETHERNET:
      return afterEtherType(packet, 12, 14);
    case LINKTYPE_LINUX_SLL:
      return afterEtherType(packet, 14, 16);
    case LINKTYPE_LINUX_SLL2:
      return afterEtherType(packet, 0, 20);
    case LINKTYPE_NULL:
    case LINKTYPE_LOOP:
      return afterFamily(packet);
    case LINKTYPE_RAW:
    case LINKTYPE_IPV4:
    case LINKTYPE_IPV6:
    case DLT_RAW:
    case DLT_RAW_OPENBSD:
      return 0;
    default:
      return LINK_UNSUPPORTED;
  }
}

/** An EtherType at `typeAt`, the header's end at `end`; VLAN tags push both further. */
function afterEtherType(packet: Packet, typeAt: number, end: number): number {
  let shift = 0;
  for (let tags = 0; tags <= VLAN_TAGS_MAX; tags++) {
    if (end + shift > packet.captured) return LINK_TRUNCATED;
    // A tag follows the header it extends: [… type=VLAN][tag control u16, type u16]
    const at = packet.start + (tags === 0 ? typeAt : end + shift - 2);
    const type = (packet.bytes[at]! << 8) | packet.bytes[at + 1]!;
    if (type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6) return end + shift;
    if (!VLAN_TAGS.includes(type)) return LINK_NOT_IP;
    shift += 4;
  }
  return LINK_NOT_IP;
}

/** A four-byte address family: in the byte order of the capturing machine (null), or big-endian (loop). */
function afterFamily(packet: Packet): number {
  if (packet.captured < 4) return LINK_TRUNCATED;
  const { bytes, start } = packet;
  const family = bytes[start]! | bytes[start + 3]!;
  const isSmall = bytes[start + 1] === 0 && bytes[start + 2] === 0 && (bytes[start] === 0 || bytes[start + 3] === 0);
  return isSmall && LOOPBACK_FAMILIES.includes(family) ? 4 : LINK_NOT_IP;
}
