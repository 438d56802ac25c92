/** What spans and tshark are compared by: a line for each exchange, made by an oracle of its protocol. */
import type { SpanLine } from '../span-lines.ts';
import type { Dissected } from '../tshark.ts';

/** What a request was and what came back. */
export interface Exchange {
  /** "address:port" of the client. */
  readonly client: string;
  readonly request: string;
  readonly response: string;
}

/** How to read one protocol from both sides. What both lines hold is what is compared. */
export interface Oracle {
  /** What spans call it; HTTP/2 has two names. */
  readonly protocols: readonly string[];
  /** tshark's name. */
  readonly dissector: string;
  /** tshark knows a protocol by its port: those of the captures. */
  readonly ports: readonly number[];
  /** Attributes that the comparison needs and that are reported only when asked for. */
  readonly optIn: readonly string[];
  /** Responses name their request, so the order in which exchanges end says nothing. */
  readonly isKeyed: boolean;
  /** Exchanges that were answered, in order. */
  readonly dissected: (packets: readonly Dissected[]) => Exchange[];
  readonly reported: (span: SpanLine) => Pick<Exchange, 'request' | 'response'>;
}

/** A message of tshark. Of a keyed protocol both have the same key within their connection. */
export interface Meaning {
  readonly key?: string | undefined;
  readonly request?: string;
  readonly response?: string;
  /** Of a request that is known by its response only. */
  readonly client?: string;
}

interface Open {
  readonly client: string;
  readonly key: string;
  readonly request: string;
  response?: string;
}

/** A response goes to the first request of its connection and key that has none. */
export function pair(
  packets: readonly Dissected[],
  read: (proto: Dissected['protos'][number], packet: Dissected) => readonly Meaning[],
): Exchange[] {
  const exchanges: Open[] = [];
  const waiting = new Map<string, Open[]>();
  for (const packet of packets) {
    for (const { key: own = '', request, response, client = packet.from } of packet.protos.flatMap((proto) =>
      read(proto, packet),
    )) {
      const key = `${packet.stream} ${own}`;
      const queue = waiting.get(key) ?? [];
      waiting.set(key, queue);
      if (request !== undefined) {
        const open = { client, key, request };
        exchanges.push(open);
        queue.push(open);
      }
      if (response !== undefined) Object.assign(queue.shift() ?? {}, { response });
    }
  }
  return exchanges.flatMap(({ client, request, response }) =>
    response === undefined ? [] : [{ client, request, response }],
  );
}
