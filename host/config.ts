/**
 * The configuration of a run: command line over environment over defaults, checked here and nowhere else.
 * Names that users of OBI and Beyla have in their manifests are accepted as they are.
 * Workers get the result: they import nothing but types from here, which spares each of them zod.
 */
import { z } from 'zod';
import { parsePorts } from './discovery/ports.ts';
import { readDigests, readKeys, readMinimums, TRUST_POLICIES } from './modules/trust.ts';
import { LOG_LEVELS } from './self/log.ts';
import { createSampler, DEFAULT_SAMPLER, SAMPLERS } from './spans/sampler.ts';
import { UsageError } from './usage-error.ts';

const KIB = 1024;

const ports = z.string().transform((text, context) => {
  try {
    return parsePorts(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

const pids = z
  .string()
  .regex(/^\s*\d+(\s*,\s*\d+)*\s*$/, 'must be process ids separated by commas')
  .transform((text) => text.split(',').map(Number));

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== ''),
);

/** What a reader throws becomes an issue of the option. */
function orIssue<Input, Output>(read: (value: Input) => Output) {
  return (value: Input, context: z.RefinementCtx): Output => {
    try {
      return read(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
      return z.NEVER;
    }
  };
}

const size = z.string().transform((text, context) => {
  const match = /^(\d+)\s*(KiB|MiB|K|M)?$/i.exec(text.trim());
  if (match === null) {
    context.addIssue({ code: 'custom', message: `"${text}" is not a size such as 4096, 64KiB or 16MiB` });
    return z.NEVER;
  }
  const unit = (match[2] ?? '').toLowerCase().charAt(0);
  return Number(match[1]) * (unit === 'k' ? KIB : unit === 'm' ? KIB * KIB : 1);
});

/** Power of two from a page to 1 GiB: what the kernel takes for a ring. */
const ringSize = size.refine((bytes) => bytes >= 4096 && bytes <= 2 ** 30 && Number.isInteger(Math.log2(bytes)), {
  message: 'must be a power of two from 4KiB to 1024MiB',
});

const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

/** As many and as long as the SDK's `Names` takes. */
const HEADERS_MAX = 32;
const headers = list
  .transform((names) => [...new Set(names.map((name) => name.toLowerCase()))])
  .refine((names) => names.length <= HEADERS_MAX, `names more than ${HEADERS_MAX} headers`)
  .refine(
    (names) => names.every((name) => /^[!#$%&'*+.^_`|~0-9a-z-]{1,63}$/.test(name)),
    'must be names of header fields, 63 characters at most, separated by commas',
  );

const PRINTERS = ['text', 'json', 'json_indent', 'counter', 'disabled'] as const;
const PROTOCOLS = ['http/protobuf', 'http/json', 'grpc'] as const;

const METRICS_EXPORTERS = ['otlp', 'console', 'none'] as const;
/** `lowmemory` is delta for all that we measure. */
const TEMPORALITIES = ['cumulative', 'delta', 'lowmemory'] as const;
const DAY_MS = 86_400_000;

const settings = z.object({
  openPort: ports.optional(),
  pid: pids.optional(),
  exe: list.refine((globs) => globs.length > 0, 'names no executable').optional(),
  printer: z.enum(PRINTERS).default('disabled'),
  otlpEndpoint: z.url({ protocol: /^https?$/, error: 'must be a URL such as http://localhost:4318' }).optional(),
  otlpProtocol: z.enum(PROTOCOLS).optional(),
  serviceName: z.string().min(1).optional(),
  payload: size.pipe(z.number().max(16 * KIB, 'is at most 16KiB')).default(4 * KIB),
  ring: ringSize.default(16 * KIB * KIB),
  shards: whole(1, 64).optional(),
  batch: whole(1, 8192).default(8192),
  batchTimeout: whole(1, 60_000).default(1000),
  queue: whole(1, 1_000_000).default(32_768),
  attributes: list.default([]),
  captureRequestHeaders: headers.default([]),
  captureResponseHeaders: headers.default([]),
  sampler: z.enum(SAMPLERS).default(DEFAULT_SAMPLER),
  samplerArg: z.string().optional(),
  shutdownTimeout: whole(0, 600_000).default(10_000),
  modules: list.default([]),
  moduleInterval: whole(20, 60_000).default(200),
  moduleTrust: z.enum(TRUST_POLICIES).default('enforce'),
  moduleKeys: list.transform(orIssue(readKeys)).default([]),
  moduleDigests: list.transform(orIssue(readDigests)).default(new Set<string>()),
  moduleMinimum: list.transform(orIssue(readMinimums)).default(new Map<string, string>()),
  metricsExporter: z.enum(METRICS_EXPORTERS).optional(),
  metricsInterval: whole(1, DAY_MS).default(60_000),
  metricsTimeout: whole(1, DAY_MS).default(30_000),
  metricsTemporality: z.enum(TEMPORALITIES).default('cumulative'),
  metricsSeries: whole(1, 4096).default(2000),
  logLevel: z.enum(LOG_LEVELS).default('info'),
  logFormat: z.enum(['text', 'json']).default('text'),
});

/** What a sampler makes of its argument depends on the sampler. */
const schema = settings.superRefine(({ sampler, samplerArg }, context) => {
  try {
    createSampler(sampler, samplerArg);
  } catch (error) {
    context.addIssue({ code: 'custom', path: ['samplerArg'], message: (error as Error).message });
  }
});

export type Config = z.infer<typeof schema>;
/** Every option as the command line or the environment gives it: text. */
export type RawConfig = { [name in keyof Config]?: string | undefined };

/** Environment variables of each option, the first one set wins. `OTEL_EBPF_X` is also read as `BEYLA_X`. */
const ENVIRONMENT: { readonly [name in keyof Config]?: readonly string[] } = {
  openPort: ['SPANWIRE_OPEN_PORT', 'OTEL_EBPF_OPEN_PORT'],
  pid: ['SPANWIRE_PID', 'OTEL_EBPF_TARGET_PID'],
  exe: ['SPANWIRE_EXE', 'OTEL_EBPF_AUTO_TARGET_EXE'],
  printer: ['SPANWIRE_PRINTER', 'OTEL_EBPF_TRACE_PRINTER'],
  serviceName: ['OTEL_SERVICE_NAME'],
  payload: ['SPANWIRE_PAYLOAD'],
  ring: ['SPANWIRE_RING'],
  shards: ['SPANWIRE_SHARDS'],
  batch: ['SPANWIRE_BATCH', 'OTEL_EBPF_OTLP_TRACES_BATCH_MAX_SIZE'],
  queue: ['SPANWIRE_QUEUE', 'OTEL_EBPF_OTLP_TRACES_QUEUE_SIZE'],
  captureRequestHeaders: [
    'SPANWIRE_CAPTURE_REQUEST_HEADERS',
    'OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_REQUEST_HEADERS',
    'OTEL_INSTRUMENTATION_HTTP_CLIENT_CAPTURE_REQUEST_HEADERS',
  ],
  captureResponseHeaders: [
    'SPANWIRE_CAPTURE_RESPONSE_HEADERS',
    'OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_RESPONSE_HEADERS',
    'OTEL_INSTRUMENTATION_HTTP_CLIENT_CAPTURE_RESPONSE_HEADERS',
  ],
  sampler: ['OTEL_TRACES_SAMPLER'],
  samplerArg: ['OTEL_TRACES_SAMPLER_ARG'],
  modules: ['SPANWIRE_MODULES'],
  moduleInterval: ['SPANWIRE_MODULE_INTERVAL'],
  moduleTrust: ['SPANWIRE_MODULE_TRUST'],
  moduleKeys: ['SPANWIRE_MODULE_KEYS'],
  moduleDigests: ['SPANWIRE_MODULE_DIGESTS'],
  moduleMinimum: ['SPANWIRE_MODULE_MINIMUM'],
  metricsExporter: ['OTEL_METRICS_EXPORTER'],
  metricsInterval: ['OTEL_METRIC_EXPORT_INTERVAL'],
  metricsTimeout: ['OTEL_METRIC_EXPORT_TIMEOUT'],
  metricsTemporality: ['OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE'],
  metricsSeries: ['SPANWIRE_METRICS_SERIES'],
  logLevel: ['SPANWIRE_LOG_LEVEL', 'OTEL_EBPF_LOG_LEVEL'],
  logFormat: ['SPANWIRE_LOG_FORMAT', 'OTEL_EBPF_LOG_FORMAT'],
};

/** Throws UsageError that names each wrong option and where its value came from. */
export function readConfig(options: RawConfig, environment: NodeJS.ProcessEnv): Config {
  const merged: RawConfig = {};
  const origin = new Map<string, string>();
  for (const name of Object.keys(settings.shape) as (keyof Config)[]) {
    const variable = options[name] === undefined ? findVariable(ENVIRONMENT[name] ?? [], environment) : undefined;
    merged[name] = options[name] ?? (variable === undefined ? undefined : textOf(variable, name, environment));
    origin.set(name, variable ?? `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  }
  lowerCase(merged, 'logLevel');
  lowerCase(merged, 'sampler');
  lowerCase(merged, 'metricsTemporality');
  const parsed = schema.safeParse(merged);
  if (parsed.success) return parsed.data;
  throw new UsageError(
    parsed.error.issues.map(({ path, message }) => `${origin.get(String(path[0]))}: ${message}`).join('\n'),
  );
}

/** Other agents have a list for each side; here the spans of both sides come from one. */
function textOf(variable: string, name: keyof Config, environment: NodeJS.ProcessEnv): string | undefined {
  if (!variable.startsWith('OTEL_INSTRUMENTATION_')) return environment[variable];
  const both = ENVIRONMENT[name]!.filter((one) => one.startsWith('OTEL_INSTRUMENTATION_'));
  return both.map((one) => environment[one] ?? '').join();
}

function findVariable(names: readonly string[], environment: NodeJS.ProcessEnv): string | undefined {
  return names
    .flatMap((name) => (name.startsWith('OTEL_EBPF_') ? [name, name.replace('OTEL_EBPF_', 'BEYLA_')] : [name]))
    .find((name) => environment[name] !== undefined && environment[name] !== '');
}

/** OBI writes DEBUG and INFO; OpenTelemetry takes its values in any case. */
function lowerCase(config: RawConfig, name: keyof Config): void {
  const value = config[name];
  if (value !== undefined) config[name] = value.toLowerCase();
}
