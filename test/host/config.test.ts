import { describe, expect, test } from 'vitest';
import { readConfig } from '../../host/config.ts';
import { includesPort, parsePorts } from '../../host/discovery/ports.ts';
import { largestBatch } from '../../host/export/queue.ts';
import { samplerOf } from '../../host/spans/sampler.ts';
import { UsageError } from '../../host/usage-error.ts';
import { settingsOf } from '../../host/wasm/settings.ts';

const many = (count: number) => Array.from({ length: count }, (_, i) => `x-${i}`).join();

describe('ports', () => {
  test.each([
    ['80', [[80, 80]]],
    [
      ' 80, 443 ,8000-9000,',
      [
        [80, 80],
        [443, 443],
        [8000, 9000],
      ],
    ],
    ['1 - 65535', [[1, 65535]]],
  ])('%s', (text, ranges) => {
    expect(parsePorts(text)).toEqual(ranges);
  });

  test.each(['', ' , ', '0', '65536', '80-', '-80', '90-80', 'http', '80;81', '8e3', '123456', '80-90-100'])(
    'refuses "%s" and says which part is wrong',
    (text) => {
      expect(() => parsePorts(text)).toThrow(text.trim() === '' ? 'no port' : text.split(',')[0]!);
    },
  );

  test('ranges are inclusive', () => {
    const ranges = parsePorts('80,8000-9000');
    expect([79, 80, 81, 7999, 8000, 9000, 9001].map((port) => includesPort(ranges, port))).toEqual([
      false,
      true,
      false,
      false,
      true,
      true,
      false,
    ]);
  });
});

describe('configuration', () => {
  test.each([
    [{}, 8192],
    [{ batch: '256' }, 256],
    [{ queue: '2000' }, 500],
    [{ queue: '1' }, 1],
  ])('of %j a batch holds at most %i spans', (options, spans) => {
    expect(largestBatch(readConfig(options, {}))).toBe(spans);
  });

  test('defaults', () => {
    expect(readConfig({}, {})).toEqual({
      printer: 'disabled',
      payload: 4096,
      ring: 16 * 1024 * 1024,
      batch: 8192,
      batchTimeout: 1000,
      queue: 32_768,
      modules: [],
      moduleInterval: 200,
      moduleTrust: 'enforce',
      moduleKeys: [],
      moduleDigests: new Set(),
      moduleMinimum: new Map(),
      attributes: [],
      captureRequestHeaders: [],
      captureResponseHeaders: [],
      sampler: 'parentbased_always_on',
      shutdownTimeout: 10_000,
      metricsInterval: 60_000,
      metricsTimeout: 30_000,
      metricsTemporality: 'cumulative',
      metricsSeries: 2000,
      logLevel: 'info',
      logFormat: 'text',
    });
  });

  test.each([
    ['SPANWIRE_OPEN_PORT', '8080', { openPort: [[8080, 8080]] }],
    ['OTEL_EBPF_OPEN_PORT', '8080', { openPort: [[8080, 8080]] }],
    ['BEYLA_OPEN_PORT', '80-90', { openPort: [[80, 90]] }],
    ['OTEL_EBPF_TARGET_PID', '12, 13', { pid: [12, 13] }],
    ['BEYLA_TARGET_PID', '12', { pid: [12] }],
    ['OTEL_EBPF_AUTO_TARGET_EXE', '/usr/*', { exe: ['/usr/*'] }],
    ['OTEL_EBPF_TRACE_PRINTER', 'json', { printer: 'json' }],
    ['BEYLA_TRACE_PRINTER', 'counter', { printer: 'counter' }],
    ['OTEL_EBPF_LOG_LEVEL', 'DEBUG', { logLevel: 'debug' }],
    ['BEYLA_LOG_LEVEL', 'WARN', { logLevel: 'warn' }],
    ['OTEL_SERVICE_NAME', 'shop', { serviceName: 'shop' }],
    ['OTEL_METRICS_EXPORTER', 'none', { metricsExporter: 'none' }],
    ['OTEL_METRIC_EXPORT_INTERVAL', '5000', { metricsInterval: 5000 }],
    ['OTEL_METRIC_EXPORT_TIMEOUT', '700', { metricsTimeout: 700 }],
    ['OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', 'LowMemory', { metricsTemporality: 'lowmemory' }],
    ['SPANWIRE_RING', '64MiB', { ring: 64 * 1024 * 1024 }],
    ['SPANWIRE_CAPTURE_REQUEST_HEADERS', 'X-Id, accept,x-id', { captureRequestHeaders: ['x-id', 'accept'] }],
    ['OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_REQUEST_HEADERS', 'X-Id', { captureRequestHeaders: ['x-id'] }],
    ['OTEL_INSTRUMENTATION_HTTP_CLIENT_CAPTURE_RESPONSE_HEADERS', 'server', { captureResponseHeaders: ['server'] }],
    ['SPANWIRE_PAYLOAD', '16K', { payload: 16_384 }],
    ['OTEL_TRACES_SAMPLER', 'always_off', { sampler: 'always_off' }],
    ['OTEL_TRACES_SAMPLER', 'ParentBased_TraceIdRatio', { sampler: 'parentbased_traceidratio' }],
  ])('%s=%s', (name, value, expected) => {
    expect(readConfig({}, { [name]: value })).toMatchObject(expected);
  });

  test('the command line wins over the environment, Spanwire’s own names over the others', () => {
    const environment = { BEYLA_OPEN_PORT: '1', OTEL_EBPF_OPEN_PORT: '2', SPANWIRE_OPEN_PORT: '3' };
    expect(readConfig({ openPort: '4' }, environment).openPort).toEqual([[4, 4]]);
    expect(readConfig({}, environment).openPort).toEqual([[3, 3]]);
    expect(readConfig({}, { ...environment, SPANWIRE_OPEN_PORT: '' }).openPort).toEqual([[2, 2]]);
  });

  test('OpenTelemetry’s lists of servers and of clients are one; Spanwire’s own wins over both', () => {
    const environment = {
      OTEL_INSTRUMENTATION_HTTP_SERVER_CAPTURE_RESPONSE_HEADERS: 'a,b',
      OTEL_INSTRUMENTATION_HTTP_CLIENT_CAPTURE_RESPONSE_HEADERS: 'B,c',
    };
    expect(readConfig({}, environment).captureResponseHeaders).toEqual(['a', 'b', 'c']);
    const own = { ...environment, SPANWIRE_CAPTURE_RESPONSE_HEADERS: 'd' };
    expect(readConfig({}, own).captureResponseHeaders).toEqual(['d']);
    expect(settingsOf(readConfig({}, own))).toEqual(
      new Map([
        ['http.request.header', []],
        ['http.response.header', ['d']],
      ]),
    );
  });

  test.each([
    [{ captureRequestHeaders: 'x id' }, {}, '--capture-request-headers: must be names of header fields'],
    [{ captureRequestHeaders: ':path' }, {}, '--capture-request-headers: must be names of header fields'],
    [{ captureRequestHeaders: 'x'.repeat(64) }, {}, '--capture-request-headers: must be names of header fields'],
    [{ captureResponseHeaders: many(33) }, {}, '--capture-response-headers: names more than 32 headers'],
    [{ openPort: 'x' }, {}, '--open-port: "x" is not a port'],
    [{ openPort: '' }, {}, '--open-port: "" names no port'],
    [{ exe: ' , ' }, {}, '--exe: names no executable'],
    [{ pid: '12x' }, {}, '--pid: must be process ids'],
    [{ ring: '3000' }, {}, '--ring: must be a power of two'],
    [{ ring: '48KiB' }, {}, '--ring: must be a power of two'],
    [{ payload: '17KiB' }, {}, '--payload: is at most 16KiB'],
    [{ payload: 'lots' }, {}, '--payload: "lots" is not a size'],
    [{ shards: '0' }, {}, '--shards: '],
    [{ batch: 'many' }, {}, '--batch: '],
    [{ otlpEndpoint: 'localhost:4318' }, {}, '--otlp-endpoint: must be a URL'],
    [{ otlpEndpoint: 'ftp://x' }, {}, '--otlp-endpoint: must be a URL'],
    [{ shutdownTimeout: '-1' }, {}, '--shutdown-timeout: '],
    [{ sampler: 'sometimes' }, {}, '--sampler: Invalid option: expected one of "always_on"|'],
    [{ sampler: 'traceidratio', samplerArg: '10%' }, {}, '--sampler-arg: "10%" is not a ratio from 0 to 1'],
    [{ sampler: 'traceidratio', samplerArg: '1.5' }, {}, '--sampler-arg: "1.5" is not a ratio from 0 to 1'],
    [{}, { OTEL_TRACES_SAMPLER: 'xray' }, 'OTEL_TRACES_SAMPLER: Invalid option'],
    [
      {},
      { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '-1' },
      'OTEL_TRACES_SAMPLER_ARG: "-1" is not a ratio',
    ],
    [{}, { BEYLA_OPEN_PORT: '99999' }, 'BEYLA_OPEN_PORT: "99999"'],
    [{}, { OTEL_EBPF_TRACE_PRINTER: 'xml' }, 'OTEL_EBPF_TRACE_PRINTER: '],
  ])('%o %o: a usage error that names the option', (options, environment, words) => {
    expect(() => readConfig(options, environment)).toThrow(UsageError);
    expect(() => readConfig(options, environment)).toThrow(words);
  });

  test('what becomes of traces says the sampler, and its argument where it takes one', () => {
    const sampler = (name: string, argument?: string) =>
      samplerOf(readConfig({ sampler: name, samplerArg: argument }, {}));
    expect(sampler('traceidratio', ' 0.25 ')).toEqual({ followsParent: false, bound: 2 ** 30 - 1 });
    expect(sampler('parentbased_traceidratio')).toEqual({ followsParent: true, bound: 2 ** 32 });
    expect(sampler('always_on', 'anything')).toEqual({ followsParent: false, bound: 2 ** 32 });
    expect(sampler('parentbased_always_off')).toEqual({ followsParent: true, bound: 0 });
    expect(samplerOf(readConfig({}, {}))).toEqual({ followsParent: true, bound: 2 ** 32 });
  });

  test('every wrong option is named at once', () => {
    expect(() => readConfig({ openPort: 'x', pid: 'y' }, {})).toThrow(/--open-port.*\n--pid/);
  });
});
