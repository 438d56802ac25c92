/** HTTP/2 and gRPC: "POST /path" and "200", or "grpc OK"; "reset CANCEL" for a stream that was. */
import { originalMethod, targetOf } from '../span-lines.ts';
import { type Dissected, find, findAll, text } from '../tshark.ts';
import { type Meaning, type Oracle, pair } from './exchange.ts';

const HEADERS = 1;
const RST_STREAM = 3;
/** https://www.rfc-editor.org/rfc/rfc9113#section-7 */
const ERRORS = [
  ...['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED'],
  ...['FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM'],
  ...['INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED'],
];
/** https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
const GRPC_CODES = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS'],
  ...['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED'],
  ...['INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
];

/** What is known of a stream while its response goes on. */
interface Stream {
  readonly client: string;
  isGrpc: boolean;
  status: string;
  grpcStatus?: string | undefined;
}

export const HTTP2: Oracle = {
  protocols: ['http2', 'grpc'],
  dissector: 'http2',
  ports: [7070, 8080, 9001, 30035],
  optIn: [],
  isKeyed: true,
  dissected: readAll,
  reported: ({ protocol, attributes }) =>
    protocol === 'grpc'
      ? { request: `POST /${attributes['rpc.method']}`, response: `grpc ${attributes['rpc.response.status_code']}` }
      : {
          request: `${originalMethod(attributes)} ${targetOf(attributes)}`,
          response: String(attributes['http.response.status_code'] ?? `reset ${attributes['error.type']}`),
        },
};

function readAll(packets: readonly Dissected[]) {
  const streams = new Map<string, Stream>();
  return pair(packets, (proto, packet) =>
    findAll(proto, 'http2.stream').map((frame) => readFrame(frame, packet, streams)),
  );
}

function readFrame(frame: Parameters<typeof find>[0], packet: Dissected, streams: Map<string, Stream>): Meaning {
  const number = find(frame, 'http2.streamid')?.show ?? '0';
  const key = `${packet.stream}/${number}`;
  const headers = headersOf(frame);
  const [method, stream] = [headers.get(':method'), streams.get(key)];
  if (method !== undefined && find(frame, 'http2.type')?.show === String(HEADERS)) {
    const isGrpc = headers.get('content-type')?.startsWith('application/grpc') ?? false;
    streams.set(key, { client: packet.from, isGrpc, status: '' });
    return { key: number, request: `${method} ${headers.get(':path')}` };
  }
  if (!stream) return {};
  if (find(frame, 'http2.type')?.show === String(RST_STREAM)) return { key: number, response: resetOf(frame) };
  if (packet.from === stream.client) return {};
  stream.status = headers.get(':status') ?? stream.status;
  stream.grpcStatus = headers.get('grpc-status') ?? stream.grpcStatus;
  return find(frame, 'http2.flags.end_stream')?.show === '1' ? { key: number, response: responseOf(stream) } : {};
}

function headersOf(frame: Parameters<typeof find>[0]): Map<string, string> {
  const fields = findAll(frame, 'http2.header');
  return new Map(
    fields.map((field) => [text(find(field, 'http2.header.name')), text(find(field, 'http2.header.value'))]),
  );
}

function resetOf(frame: Parameters<typeof find>[0]): string {
  const code = find(frame, 'http2.rst_stream.error')?.show;
  return `reset ${ERRORS[Number(code)] ?? code}`;
}

function responseOf({ isGrpc, status, grpcStatus }: Stream): string {
  return isGrpc && grpcStatus !== undefined ? `grpc ${GRPC_CODES[Number(grpcStatus)]}` : status;
}
