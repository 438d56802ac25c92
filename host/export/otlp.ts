/**
 * The OTLP sink: hands what it takes of batches to the client for the chosen protocol. Only that client is loaded, with
 * the first batch (gRPC's transport alone brings some hundred files).
 * https://opentelemetry.io/docs/specs/otlp/
 */
import type { InstrumentationScope } from '@opentelemetry/core';
import type { ExportOutcome, Offer, SpanSink, Taken } from '../spans/span.ts';
import { sendEncoded } from './encoder/request.ts';
import type { ExportLog } from './failure-log.ts';
import { READ_SPANS } from './joined-spans.ts';
import { bridgeDiagnostics, shorten } from './otel-diagnostics.ts';
import { type OtlpConfig, otlpProtocol } from './otlp-config.ts';

/** One transport with its connections. send() tries once; it settles soon after its signal is aborted. */
export interface OtlpClient<T extends Taken> {
  send(taken: T, signal: AbortSignal): Promise<ExportOutcome>;
  close(): Promise<void>;
}

/** What a protocol sends, and the client that does. */
interface Way<T extends Taken> {
  take(offer: Offer): T;
  join(parts: readonly T[]): T;
  open(): Promise<OtlpClient<T>>;
}

/** Protobuf takes encoded bytes, JSON spans to read. */
export function createOtlpSink(config: OtlpConfig, scope: InstrumentationScope, log: ExportLog): SpanSink {
  bridgeDiagnostics(log);
  switch (otlpProtocol(config)) {
    case 'grpc':
      return new OtlpSink({
        ...sendEncoded(),
        open: async () => (await import('./otlp-grpc.ts')).openGrpcClient(config),
      });
    case 'http/json':
      return new OtlpSink({
        ...READ_SPANS,
        open: async () => (await import('./otlp-http.ts')).openJsonClient(config, scope),
      });
    case 'http/protobuf':
      return new OtlpSink({
        ...sendEncoded(),
        open: async () => (await import('./otlp-http.ts')).openProtobufClient(config),
      });
  }
}

class OtlpSink<T extends Taken> implements SpanSink<T> {
  readonly name = 'otlp';
  readonly #way: Way<T>;
  #client: OtlpClient<T> | undefined;

  constructor(way: Way<T>) {
    this.#way = way;
  }

  take(offer: Offer): T {
    return this.#way.take(offer);
  }

  join(parts: readonly T[]): T {
    return this.#way.join(parts);
  }

  async export(taken: T, signal: AbortSignal): Promise<ExportOutcome> {
    try {
      this.#client ??= await this.#way.open();
    } catch (error) {
      return { ok: false, retry: false, reason: shorten(error) };
    }
    return this.#client.send(taken, signal);
  }

  async shutdown(): Promise<void> {
    await this.#client?.close();
    this.#client = undefined;
  }
}
