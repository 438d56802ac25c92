/**
 * Decodes OTLP trace requests without any of the exporters' code: protobufjs with the message numbers of the
 * specification (https://github.com/open-telemetry/opentelemetry-proto), and JSON into the same shape.
 */
import protobuf from 'protobufjs';

const DEFINITIONS = `
syntax = "proto3";
message Request { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message Scope { string name = 1; string version = 2; repeated KeyValue attributes = 3; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue {
  oneof value {
    string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
    ArrayValue array_value = 5;
  }
}
message ArrayValue { repeated AnyValue values = 1; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5;
  int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
  Status status = 15; fixed32 flags = 16;
}
message Status { string message = 2; int32 code = 3; }
message MetricsRequest { repeated ResourceMetrics resource_metrics = 1; }
message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; }
message ScopeMetrics { Scope scope = 1; repeated Metric metrics = 2; }
message Metric { string name = 1; string description = 2; string unit = 3; Histogram histogram = 9; }
message Histogram { repeated Point data_points = 1; int32 aggregation_temporality = 2; }
message Point {
  fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4; double sum = 5;
  repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7; repeated KeyValue attributes = 9;
  double min = 11; double max = 12;
}
message Response { PartialSuccess partial_success = 1; }
message PartialSuccess { int64 rejected_spans = 1; string error_message = 2; }
`;

const types = protobuf.parse(DEFINITIONS).root;
const Request = types.lookupType('Request');
const MetricsRequest = types.lookupType('MetricsRequest');
const Response = types.lookupType('Response');

interface Value {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string | number;
  doubleValue?: number;
  arrayValue?: { values?: Value[] };
}
type KeyValues = { key: string; value: Value }[];

export interface WireSpan {
  traceId: string;
  spanId: string;
  traceState?: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: KeyValues;
  status: { code?: number };
  flags: number;
}

interface WireRequest {
  resourceSpans: {
    resource: { attributes: KeyValues };
    scopeSpans: { scope: { name: string; version: string }; spans: WireSpan[] }[];
  }[];
}

export interface Received {
  resource: Record<string, string>;
  scope: string;
  span: WireSpan;
  /** Values as `type:value`. */
  attributes: Record<string, string>;
}

export function decodeProtobuf(body: Uint8Array): Received[] {
  const message = Request.toObject(Request.decode(body), {
    longs: String,
    bytes: Uint8Array,
    arrays: true,
    oneofs: false,
  });
  return flatten(message as WireRequest, (id) => Buffer.from(id as unknown as Uint8Array).toString('hex'));
}

export function decodeJson(body: Uint8Array): Received[] {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  return flatten(JSON.parse(text) as WireRequest, (id) => id);
}

interface WirePoint {
  attributes: KeyValues;
  startTimeUnixNano: string;
  timeUnixNano: string;
  count: string | number;
  sum: number;
  min: number;
  max: number;
  bucketCounts: (string | number)[];
  explicitBounds: number[];
}

interface WireMetricsRequest {
  resourceMetrics: {
    resource: { attributes: KeyValues };
    scopeMetrics: {
      scope: { name: string; version: string };
      metrics: {
        name: string;
        unit: string;
        histogram: { aggregationTemporality: number; dataPoints: WirePoint[] };
      }[];
    }[];
  }[];
}

/** One point of a histogram; attributes as those of a span. */
export interface ReceivedPoint {
  resource: Record<string, string>;
  scope: string;
  metric: string;
  unit: string;
  isDelta: boolean;
  attributes: Record<string, string>;
  startNs: bigint;
  timeNs: bigint;
  count: number;
  sum: number;
  buckets: number[];
  bounds: number[];
}

export function decodeMetrics(body: Uint8Array, isJson: boolean): ReceivedPoint[] {
  const message = isJson
    ? JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    : MetricsRequest.toObject(MetricsRequest.decode(body), { longs: String, arrays: true });
  return (message as WireMetricsRequest).resourceMetrics.flatMap(({ resource, scopeMetrics }) =>
    scopeMetrics.flatMap(({ scope, metrics }) =>
      metrics.flatMap(({ name, unit, histogram }) =>
        histogram.dataPoints.map((point) => ({
          resource: typed(resource.attributes),
          scope: `${scope.name}@${scope.version}`,
          metric: name,
          unit,
          isDelta: histogram.aggregationTemporality === 1,
          attributes: typed(point.attributes),
          startNs: BigInt(point.startTimeUnixNano),
          timeNs: BigInt(point.timeUnixNano),
          count: Number(point.count),
          sum: point.sum,
          buckets: point.bucketCounts.map(Number),
          bounds: point.explicitBounds,
        })),
      ),
    ),
  );
}

export function encodeResponse(partialSuccess?: { rejectedSpans?: number; errorMessage?: string }): Buffer {
  return Buffer.from(Response.encode(Response.fromObject(partialSuccess ? { partialSuccess } : {})).finish());
}

function flatten(request: WireRequest, hex: (id: string) => string): Received[] {
  return request.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        resource: typed(resource.attributes),
        scope: `${scope.name}@${scope.version}`,
        attributes: typed(span.attributes),
        span: {
          ...span,
          traceId: hex(span.traceId),
          spanId: hex(span.spanId),
          ...(span.parentSpanId && { parentSpanId: hex(span.parentSpanId) }),
        },
      })),
    ),
  );
}

function typed(attributes: KeyValues): Record<string, string> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, typedValue(value)]));
}

/** Elements of an array one after the other, with commas. */
function typedValue(value: Value): string {
  const [type, content] = Object.entries(value)[0] ?? ['none', ''];
  if (type !== 'arrayValue') return `${type.replace('Value', '')}:${content}`;
  return `array:${(value.arrayValue!.values ?? []).map(typedValue).join()}`;
}
