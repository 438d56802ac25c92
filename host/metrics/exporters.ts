/**
 * The ways out for metrics: OpenTelemetry's transports with its serializers, which retry by themselves for as long as one
 * export may take, and lines on standard output. Loaded with the first export.
 */
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import type { IOtlpExportDelegate } from '@opentelemetry/otlp-exporter-base';
import {
  type IExporterMetricsHelper,
  type IExportMetricsServiceResponse,
  type ISerializer,
  JsonMetricsSerializer,
  ProtobufMetricsSerializer,
} from '@opentelemetry/otlp-transformer';
import { acceptedOutcome, shorten } from '../export/otel-diagnostics.ts';
import { loggable, type OtlpProtocol } from '../export/otlp-config.ts';
import type { ExportOutcome } from '../spans/span.ts';
import { metricsUrl } from './settings.ts';
import type { ResourceMetrics } from './store.ts';

export interface MetricSink {
  /** Never throws; settles at the latest some time after its own timeout. */
  export(metrics: readonly ResourceMetrics[]): Promise<ExportOutcome>;
  shutdown(): Promise<void>;
}

export interface OtlpMetricConfig {
  readonly endpoint: string | undefined;
  readonly protocol: OtlpProtocol;
  readonly timeoutMs: number;
}

type Serializer = ISerializer<readonly ResourceMetrics[], IExportMetricsServiceResponse>;
type Transport = IOtlpExportDelegate<readonly ResourceMetrics[]>;

/** Requests with one resource each, behind one another, are one with all of them: so protobuf has it. */
const protobuf: Serializer = {
  serializeRequest: (all) => Buffer.concat(all.map((one) => ProtobufMetricsSerializer.serializeRequest(one)!)),
  deserializeResponse: (bytes) => ProtobufMetricsSerializer.deserializeResponse(bytes),
};

const json: Serializer = {
  serializeRequest: (all) => Buffer.from(JSON.stringify({ resourceMetrics: all.flatMap(resourceMetricsOf) })),
  deserializeResponse: (bytes) => JsonMetricsSerializer.deserializeResponse(bytes),
};

function resourceMetricsOf(one: ResourceMetrics): object[] {
  const text = new TextDecoder().decode(JsonMetricsSerializer.serializeRequest(one));
  return (JSON.parse(text) as { resourceMetrics: object[] }).resourceMetrics;
}

const items: IExporterMetricsHelper<readonly ResourceMetrics[]> = { name: 'metric_data_point', countItems: pointsOf };

function pointsOf(all: readonly ResourceMetrics[]): number {
  const metrics = all.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  return metrics.reduce((sum, { dataPoints }) => sum + dataPoints.length, 0);
}

export async function openOtlp(config: OtlpMetricConfig): Promise<MetricSink> {
  return config.protocol === 'grpc' ? openGrpc(config) : openHttp(config);
}

async function openHttp({ endpoint, protocol, timeoutMs }: OtlpMetricConfig): Promise<MetricSink> {
  const { convertLegacyHttpOptions, createOtlpHttpExportDelegate } = await import(
    '@opentelemetry/otlp-exporter-base/node-http'
  );
  const isJson = protocol === 'http/json';
  const options = {
    ...(endpoint !== undefined && { url: metricsUrl(endpoint, protocol) }),
    timeoutMillis: timeoutMs,
  };
  const configuration = convertLegacyHttpOptions(options, 'METRICS', 'v1/metrics', {
    'Content-Type': isJson ? 'application/json' : 'application/x-protobuf',
  });
  const agent = await configuration.agentFactory(new URL(configuration.url).protocol);
  const transport = createOtlpHttpExportDelegate(
    { ...configuration, agentFactory: () => agent },
    isJson ? json : protobuf,
    'otlp_http_metric_exporter',
    items,
    undefined,
  );
  return new OtlpMetricSink(transport, loggable(configuration.url), () => agent.destroy());
}

async function openGrpc({ endpoint, timeoutMs }: OtlpMetricConfig): Promise<MetricSink> {
  const { convertLegacyOtlpGrpcOptions, createOtlpGrpcExportDelegate } = await import(
    '@opentelemetry/otlp-grpc-exporter-base'
  );
  const options = { ...(endpoint !== undefined && { url: endpoint }), timeoutMillis: timeoutMs };
  const transport = createOtlpGrpcExportDelegate(
    convertLegacyOtlpGrpcOptions(options, 'METRICS'),
    protobuf,
    'otlp_grpc_metric_exporter',
    items,
    undefined,
    'MetricsExportService',
    '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
  );
  return new OtlpMetricSink(transport, loggable(endpoint ?? 'the gRPC endpoint'), () => {});
}

class OtlpMetricSink implements MetricSink {
  readonly #transport: Transport;
  readonly #target: string;
  readonly #close: () => void;

  constructor(transport: Transport, target: string, close: () => void) {
    this.#transport = transport;
    this.#target = target;
    this.#close = close;
  }

  export(metrics: readonly ResourceMetrics[]): Promise<ExportOutcome> {
    return new Promise((resolve) => {
      this.#transport.export(metrics, ({ code, error }: ExportResult) => {
        if (code === ExportResultCode.SUCCESS) resolve(acceptedOutcome(pointsOf(metrics), 'data points'));
        else resolve({ ok: false, retry: true, reason: `cannot export metrics to ${this.#target}: ${shorten(error)}` });
      });
    });
  }

  async shutdown(): Promise<void> {
    this.#close();
    await this.#transport.shutdown();
  }
}

/** A line of JSON for each point. */
export function consoleSink(write: (line: string) => void): MetricSink {
  return {
    export: async (all) => {
      for (const { resource, scopeMetrics } of all) {
        for (const { descriptor, dataPoints } of scopeMetrics.flatMap(({ metrics }) => metrics)) {
          for (const { attributes, value } of dataPoints) {
            write(`${JSON.stringify({ metric: descriptor.name, attributes, value, resource: resource.attributes })}\n`);
          }
        }
      }
      return { ok: true };
    },
    shutdown: async () => {},
  };
}
