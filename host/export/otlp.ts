/**
 * The OTLP sink: hands a batch to the client for the chosen protocol. Only that client is loaded, with the first batch
 * (gRPC's transport alone brings some hundred files).
 * https://opentelemetry.io/docs/specs/otlp/
 */
import type { InstrumentationScope } from '@opentelemetry/core';
import type { ExportOutcome, SpanSink, Spans } from '../spans/span.ts';
import type { ExportLog } from './failure-log.ts';
import { bridgeDiagnostics, shorten } from './otel-diagnostics.ts';
import { type OtlpConfig, type OtlpProtocol, otlpProtocol } from './otlp-config.ts';

/** One transport with its connections. send() tries once; it settles soon after its signal is aborted. */
export interface OtlpClient {
  send(spans: Spans, signal: AbortSignal): Promise<ExportOutcome>;
  close(): Promise<void>;
}

export class OtlpSink implements SpanSink {
  readonly name = 'otlp';
  readonly #config: OtlpConfig;
  readonly #scope: InstrumentationScope;
  #client: OtlpClient | undefined;

  constructor(config: OtlpConfig, version: string, log: ExportLog) {
    this.#config = config;
    this.#scope = { name: 'spanwire', version };
    bridgeDiagnostics(log);
  }

  async export(spans: Spans, signal: AbortSignal): Promise<ExportOutcome> {
    try {
      this.#client ??= await openClient(otlpProtocol(this.#config), this.#config, this.#scope);
    } catch (error) {
      return { ok: false, retry: false, reason: shorten(error) };
    }
    return this.#client.send(spans, signal);
  }

  async shutdown(): Promise<void> {
    await this.#client?.close();
    this.#client = undefined;
  }
}

async function openClient(
  protocol: OtlpProtocol,
  config: OtlpConfig,
  scope: InstrumentationScope,
): Promise<OtlpClient> {
  if (protocol === 'grpc') return (await import('./otlp-grpc.ts')).openGrpcClient(config, scope);
  return (await import('./otlp-http.ts')).openHttpClient(protocol, config, scope);
}
