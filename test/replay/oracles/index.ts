/** Which captures speak what, and all that was exchanged in one: by the spans, and by tshark. */
import { clientOf, replaySpans, type SpanLine, serverOf } from '../span-lines.ts';
import { type Dissected, dissect } from '../tshark.ts';
import type { Exchange, Oracle } from './exchange.ts';
import { HTTP1 } from './http1.ts';
import { HTTP2 } from './http2.ts';
import { KAFKA } from './kafka.ts';
import { MYSQL } from './mysql.ts';
import { POSTGRES } from './postgres.ts';
import { REDIS } from './redis.ts';

const FOLDERS: Readonly<Record<string, readonly Oracle[]>> = {
  'zeek/http': [HTTP1],
  'zeek/mysql': [MYSQL],
  'zeek/postgresql': [POSTGRES],
  'zeek/redis': [REDIS],
  'deepflow/http': [HTTP1],
  'deepflow/kafka': [KAFKA],
  'deepflow/mysql': [MYSQL],
  'deepflow/postgre': [POSTGRES],
  'deepflow/redis': [REDIS],
};
/** Captures that are something else than their folder says. */
const CAPTURES: Readonly<Record<string, readonly Oracle[]>> = {
  'deepflow/http/grpc-server-stream.pcap': [HTTP2],
  'deepflow/http/grpc-unary.pcap': [HTTP2],
  'deepflow/http/h2c_ascii.pcap': [HTTP2],
  'zeek/postgresql/mysql-on-port-5432.pcap': [MYSQL],
};

export function oraclesOf(capture: string): readonly Oracle[] {
  return CAPTURES[capture] ?? FOLDERS[capture.slice(0, capture.lastIndexOf('/'))] ?? [];
}

export interface Both {
  readonly ours: Exchange[];
  readonly theirs: Exchange[];
}

/** Every span counts, whatever its protocol: one that the capture does not hold is a difference. */
export async function readBoth(path: string, oracles: readonly Oracle[]): Promise<Both> {
  const read = oracles.map(async (oracle) => ({
    oracle,
    packets: await dissect(path, oracle.ports, oracle.dissector),
  }));
  const spans = await replaySpans(path, ...oracles.flatMap(({ optIn }) => optIn));
  const dissected = await Promise.all(read);
  const packets = dissected.flatMap((one) => one.packets);
  const ours = spans.map((span) => ({
    client: clientOf(span) ?? askerOf(packets, serverOf(span)),
    ...lineOf(span, oracles),
  }));
  return { ours, theirs: dissected.flatMap((one) => one.oracle.dissected(one.packets)) };
}

function lineOf(span: SpanLine, oracles: readonly Oracle[]): Pick<Exchange, 'request' | 'response'> {
  const oracle = oracles.find(({ protocols }) => protocols.includes(span.protocol));
  return oracle?.reported(span) ?? { request: span.name, response: `is no ${span.protocol}` };
}

/** A span of the client's side does not say its own address. */
function askerOf(packets: readonly Dissected[], server: string): string {
  return packets.find(({ to }) => to === server)?.from ?? 'unknown';
}
