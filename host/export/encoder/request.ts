/** Requests that are encoded already, for OpenTelemetry's transports: in its serializer's place, with nothing left to do. */
import {
  type IExporterMetricsHelper,
  type IExportTraceServiceResponse,
  type ISerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer';

export interface EncodedRequest {
  readonly body: Uint8Array;
  readonly spans: number;
}

export const encodedSerializer: ISerializer<EncodedRequest, IExportTraceServiceResponse> = {
  serializeRequest: ({ body }) => body,
  deserializeResponse: (bytes) => ProtobufTraceSerializer.deserializeResponse(bytes),
};

export const encodedMetrics: IExporterMetricsHelper<EncodedRequest> = {
  name: 'span',
  countItems: ({ spans }) => spans,
};
