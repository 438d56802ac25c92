/** Requests that are encoded already, for OpenTelemetry's transports: in its serializer's place, with nothing left to do. */
import {
  type IExporterMetricsHelper,
  type IExportTraceServiceResponse,
  type ISerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import type { EncodedSpans, Offer } from '../../spans/span.ts';
import { Bodies, joined } from './bodies.ts';

/** Of a joined request: one is on its way at a time. */
const JOINED_ROUND_UP = 512 * 1024;

/** What a sink does that sends them. Of protobuf, one message behind the other is both as one. */
export function sendEncoded() {
  const bodies = new Bodies(JOINED_ROUND_UP, 1);
  return {
    take: ({ encoded }: Offer): EncodedSpans => encoded,
    join: (parts: readonly EncodedSpans[]): EncodedSpans => joined(bodies, parts),
  };
}

export const encodedSerializer: ISerializer<EncodedSpans, IExportTraceServiceResponse> = {
  serializeRequest: ({ body }) => body,
  deserializeResponse: (bytes) => ProtobufTraceSerializer.deserializeResponse(bytes),
};

export const encodedMetrics: IExporterMetricsHelper<EncodedSpans> = {
  name: 'span',
  countItems: ({ length }) => length,
};
