/** Who talks to whom on a connection, as spans report it. */
import type { Attributes } from './span.ts';

export interface Endpoint {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** Socket-level attributes of a span; what the protocol itself says (a Host header) is laid over them. */
export function addPeerAttributes(attributes: Attributes, endpoint: Endpoint, isServer: boolean): void {
  if (endpoint.remoteAddress === '') return;
  attributes['server.address'] = isServer ? endpoint.localAddress : endpoint.remoteAddress;
  attributes['server.port'] = isServer ? endpoint.localPort : endpoint.remotePort;
  if (isServer) {
    attributes['client.address'] = endpoint.remoteAddress;
    attributes['client.port'] = endpoint.remotePort;
  }
  attributes['network.peer.address'] = endpoint.remoteAddress;
  attributes['network.peer.port'] = endpoint.remotePort;
}

const IPV4_MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** Text of an address: `family` 2 is IPv4 (4 bytes), 10 is IPv6; IPv4-mapped addresses come out as IPv4. */
export function addressText(bytes: Uint8Array, family: number): string {
  if (family === 2) return bytes.subarray(0, 4).join('.');
  if (family !== 10) return '';
  if (IPV4_MAPPED.every((byte, i) => bytes[i] === byte)) return bytes.subarray(12, 16).join('.');
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[i]! << 8) | bytes[i + 1]!);
  return compress(groups);
}

/** RFC 5952: lower case, the longest run of two or more zero groups (the first of equals) becomes "::". */
function compress(groups: readonly number[]): string {
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > bestLength) [bestStart, bestLength] = [start, length];
  }
  const hex = groups.map((group) => group.toString(16));
  if (bestStart < 0) return hex.join(':');
  return `${hex.slice(0, bestStart).join(':')}::${hex.slice(bestStart + bestLength).join(':')}`;
}
