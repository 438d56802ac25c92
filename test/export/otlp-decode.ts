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
message Response { PartialSuccess partial_success = 1; }
message PartialSuccess { int64 rejected_spans = 1; string error_message = 2; }
`;

const types = protobuf.parse(DEFINITIONS).root;
const Request = types.lookupType('Request');
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
