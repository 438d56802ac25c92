/**
 * What OpenTelemetry's semantic conventions say of metrics of durations: name, bounds and attributes, by the kind of a
 * protocol and the side that was seen. Opt-in attributes are left out, and so is all that has many values (paths, query
 * text, partitions). What the conventions have no name for is ours, below `spanwire.`.
 * https://opentelemetry.io/docs/specs/semconv/http/http-metrics/ · …/rpc/rpc-metrics/ · …/db/database-metrics/ ·
 * …/messaging/messaging-metrics/
 */
import type { Protocol } from '../wasm/manifest.ts';

export interface DurationMetric {
  readonly name: string;
  readonly description: string;
}

interface Convention {
  readonly server: DurationMetric;
  readonly client: DurationMetric;
  readonly bounds: readonly number[];
  /** Of both sides, of servers only, of clients only. */
  readonly both: readonly string[];
  readonly serverOnly: readonly string[];
  readonly clientOnly: readonly string[];
}

/** Of all calls but those to databases, which are faster. */
const CALL_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const DATABASE_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
/** A server knows its own address; its clients tell their servers apart by it. */
const SERVER = ['server.address', 'server.port'];

/** In the order of their numbers (KIND_NUMBERS). */
export const KINDS = ['http', 'rpc', 'db', 'messaging', 'other'] as const satisfies readonly Protocol['kind'][];

export const CONVENTIONS: { readonly [kind in Protocol['kind']]: Convention } = {
  http: {
    server: { name: 'http.server.request.duration', description: 'Duration of HTTP server requests.' },
    client: { name: 'http.client.request.duration', description: 'Duration of HTTP client requests.' },
    bounds: CALL_BOUNDS,
    both: [
      'http.request.method',
      'http.response.status_code',
      'error.type',
      'network.protocol.name',
      'network.protocol.version',
    ],
    serverOnly: ['http.route', 'url.scheme'],
    clientOnly: SERVER,
  },
  rpc: {
    server: { name: 'rpc.server.call.duration', description: 'Duration of inbound remote procedure calls.' },
    client: { name: 'rpc.client.call.duration', description: 'Duration of outbound remote procedure calls.' },
    bounds: CALL_BOUNDS,
    both: ['rpc.system.name', 'rpc.system', 'rpc.service', 'rpc.method', 'rpc.response.status_code', 'error.type'],
    serverOnly: [],
    clientOnly: SERVER,
  },
  db: {
    server: { name: 'spanwire.db.server.operation.duration', description: 'Duration of operations a database serves.' },
    client: { name: 'db.client.operation.duration', description: 'Duration of database client operations.' },
    bounds: DATABASE_BOUNDS,
    both: [
      'db.system.name',
      'db.namespace',
      'db.operation.name',
      'db.collection.name',
      'db.query.summary',
      'db.stored_procedure.name',
      'db.response.status_code',
      'error.type',
    ],
    serverOnly: [],
    clientOnly: SERVER,
  },
  messaging: {
    server: {
      name: 'spanwire.messaging.server.operation.duration',
      description: 'Duration of operations a broker serves.',
    },
    client: {
      name: 'messaging.client.operation.duration',
      description: 'Duration of operations that producers and consumers begin.',
    },
    bounds: CALL_BOUNDS,
    both: [
      'messaging.system',
      'messaging.operation.name',
      'messaging.operation.type',
      'messaging.destination.name',
      'messaging.destination.template',
      'messaging.destination.subscription.name',
      'messaging.consumer.group.name',
      'error.type',
    ],
    serverOnly: [],
    clientOnly: SERVER,
  },
  other: {
    server: { name: 'spanwire.server.operation.duration', description: 'Duration of operations served.' },
    client: { name: 'spanwire.client.operation.duration', description: 'Duration of operations asked for.' },
    bounds: CALL_BOUNDS,
    both: ['network.protocol.name', 'network.protocol.version', 'error.type'],
    serverOnly: [],
    clientOnly: SERVER,
  },
};

const PROCESS: DurationMetric = { name: 'messaging.process.duration', description: 'Duration of processing messages.' };
const OPERATION_TYPE = 'messaging.operation.type';

/** The metric of a series with these attributes. */
export function metricOf(
  kind: Protocol['kind'],
  isServer: boolean,
  attributes: Readonly<Record<string, unknown>>,
): DurationMetric {
  if (isServer) return CONVENTIONS[kind].server;
  const isProcessing = kind === 'messaging' && attributes[OPERATION_TYPE] === 'process';
  return isProcessing ? PROCESS : CONVENTIONS[kind].client;
}
