/**
 * How a batch becomes a request: by our encoder, and by OpenTelemetry's. The benches encode nowhere else. A batch is
 * encoded while the pipeline hands it over, and is nobody's afterwards.
 */
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { BatchEncoder } from '../host/export/encoder/batch-encoder.ts';
import { toReadableSpans } from '../host/export/readable-span.ts';
import type { PipelineOptions } from '../host/pipeline.ts';

export type Batch = Parameters<PipelineOptions['emit']>[0];
/** Returns the bytes of the request. */
export type Encode = (batch: Batch) => number;

const SCOPE = { name: 'spanwire', version: '0.0.0' };

export function createEncoder(): Encode {
  const encoder = new BatchEncoder(SCOPE);
  return (batch) => {
    const request = encoder.encode(batch);
    request.release?.();
    return request.bytes;
  };
}

/** The objects that OpenTelemetry's SDK would have made, and its serializer. */
export function createOtelEncoder(): Encode {
  return (batch) => ProtobufTraceSerializer.serializeRequest(toReadableSpans(batch.seal(), SCOPE))!.length;
}
