/** Requests that are encoded already, for OpenTelemetry's transports: in its serializer's place, with nothing left to do. */
import {
  type IExporterMetricsHelper,
  type IExportTraceServiceResponse,
  type ISerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import type { EncodedSpans, Offer } from '../../spans/span.ts';

/** What a sink does that sends them. Of protobuf, one message behind the other is both as one. */
export const SEND_ENCODED = {
  take: ({ encoded }: Offer): EncodedSpans => encoded,
  join(parts: readonly EncodedSpans[]): EncodedSpans {
    const body = Buffer.concat(parts.map((part) => part.body));
    return { length: parts.reduce((total, { length }) => total + length, 0), bytes: body.length, body };
  },
};

export const encodedSerializer: ISerializer<EncodedSpans, IExportTraceServiceResponse> = {
  serializeRequest: ({ body }) => body,
  deserializeResponse: (bytes) => ProtobufTraceSerializer.deserializeResponse(bytes),
};

export const encodedMetrics: IExporterMetricsHelper<EncodedSpans> = {
  name: 'span',
  countItems: ({ length }) => length,
};
