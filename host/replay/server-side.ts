/**
 * Which side is the server, for a connection whose handshake is not in the capture. A guess: the records then carry no
 * role, and a parser that recognises the protocol may say it is the other way round.
 */
import type { Segment } from './segment.ts';

/** Ports below belong to services on every system (RFC 6335: system ports). */
const SYSTEM_PORTS_END = 1024;
/** Where Linux begins to number clients by itself (net.ipv4.ip_local_port_range). */
const CLIENT_PORTS_START = 32768;
/** Registered ports of what is replayed most; clients of other systems are numbered from 1024 on. */
const SERVICE_PORTS = new Set([
  1433, 1521, 1883, 2379, 3000, 3128, 3306, 4222, 4317, 4318, 5000, 5432, 5672, 6379, 6380, 8000, 8001, 8008, 8080,
  8081, 8088, 8443, 8888, 9000, 9042, 9090, 9092, 9200, 11211, 27017,
]);

/** True when the segment's sender is the client: the better known port serves; of equals, who speaks first asks. */
export function sendsToServer(segment: Segment): boolean {
  const from = rank(segment.sourcePort);
  const to = rank(segment.destinationPort);
  return from >= to;
}

/** Smaller is more likely a server. */
function rank(port: number): number {
  if (port < SYSTEM_PORTS_END) return 0;
  if (SERVICE_PORTS.has(port)) return 1;
  return port < CLIENT_PORTS_START ? 2 : 3;
}
