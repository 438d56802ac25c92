/** Which spans are kept: OpenTelemetry's own samplers are asked the same. */
import { ROOT_CONTEXT, type SpanContext, trace } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { createSampler, type SamplerName } from '../../host/spans/sampler.ts';
import type { ParserModule } from '../../host/wasm/admit.ts';
import { loadModules, shippedModuleFolder } from '../../host/wasm/load.ts';
import { createRig, expectBalanced, type Rig } from './rig.ts';
import { Conversation } from './scripted-source.ts';

const PARENT = 'b7ad6b7169203331';
const RESPONSE = 'HTTP/1.1 204 No Content\r\n\r\n';

/** Every sampler, and what OpenTelemetry calls by its name. */
const SAMPLERS: readonly (readonly [name: SamplerName, ratio: number, theirs: Sampler])[] = [
  ['always_on', 1, new AlwaysOnSampler()],
  ['always_off', 1, new AlwaysOffSampler()],
  ...[0, 1e-9, 0.01, 0.25, 0.5, 0.999, 1].flatMap((ratio) => {
    const root = new TraceIdRatioBasedSampler(ratio);
    return [
      ['traceidratio', ratio, root] as const,
      ['parentbased_traceidratio', ratio, new ParentBasedSampler({ root })] as const,
    ];
  }),
  ['parentbased_always_on', 1, new ParentBasedSampler({ root: new AlwaysOnSampler() })],
  ['parentbased_always_off', 1, new ParentBasedSampler({ root: new AlwaysOffSampler() })],
];

/** Ids of traces around the bounds, and others. */
const TRACES = [
  '0af7651916cd43dd8448eb211c80319c',
  'ffffffff000000000000000000000000',
  '000000000000000000000000fffffffe',
  '00000001000000010000000000000000',
  '3ffffffe000000000000000000000000',
  '3fffffff000000000000000000000000',
  '7ffffffe000000000000000000000000',
  '7fffffff000000000000000000000000',
  '80000000800000008000000000000001',
  ...fc.sample(fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 }), {
    seed: 1,
    numRuns: 200,
  }),
];

let shipped: ParserModule[];

beforeAll(() => {
  shipped = loadModules(shippedModuleFolder());
});

function keeps(theirs: Sampler, traceId: string, traceFlags?: number): boolean {
  const parent: SpanContext = { traceId, spanId: PARENT, traceFlags: traceFlags ?? 0, isRemote: true };
  const context = traceFlags === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
  return theirs.shouldSample(context, traceId, 'GET', 1, {}, []).decision === SamplingDecision.RECORD_AND_SAMPLED;
}

/** Requests with these traceparents (or none), each answered. */
function ask(rig: Rig, traceparents: readonly (string | undefined)[]): void {
  const talk = new Conversation(rig.source, 0);
  for (const [index, traceparent] of traceparents.entries()) {
    const header = traceparent === undefined ? '' : `traceparent: ${traceparent}\r\n`;
    talk.ask(`GET /${index} HTTP/1.1\r\nHost: h\r\n${header}\r\n`, 2 * index + 1);
    talk.answer(RESPONSE, 2 * index + 2);
  }
  rig.finish();
  expectBalanced(rig);
}

describe.each(SAMPLERS)('%s of %d', (name, ratio, theirs) => {
  test('keeps of traces that others began what OpenTelemetry keeps', () => {
    const rig = createRig(shipped, { sampler: createSampler(name, String(ratio)) });
    const parents = TRACES.flatMap((id) => [0, 1, 2, 3].map((flags) => ({ id, flags })));
    ask(
      rig,
      parents.map(({ id, flags }) => `00-${id}-${PARENT}-0${flags}`),
    );
    const kept = parents.filter(({ id, flags }) => keeps(theirs, id, flags));
    const told = rig.spans.map(({ traceId, traceFlags }) => ({ id: traceId, flags: traceFlags }));
    expect(told).toEqual(kept);
    expect(rig.count('spans_unsampled')).toBe(parents.length - kept.length);
  });

  test('keeps of traces that begin here what OpenTelemetry keeps', () => {
    const rig = createRig(shipped, { sampler: createSampler(name, String(ratio)) });
    ask(rig, new Array(500).fill(undefined));
    expect(rig.spans.filter(({ traceId }) => !keeps(theirs, traceId))).toEqual([]);
    expect(rig.count('spans_made') + rig.count('spans_unsampled')).toBe(500);
    const isCertain = ratio === 0 || ratio === 1;
    if (isCertain) expect(rig.count('spans_made')).toBe(name.endsWith('off') || ratio === 0 ? 0 : 500);
    if (ratio === 0.5) expect(Math.abs(rig.count('spans_made') - 250)).toBeLessThan(150);
  });
});

test('a span that is not kept leaves nothing in the row that the next one takes', () => {
  const rig = createRig(shipped);
  const [kept, other] = [TRACES[0]!, TRACES[9]!];
  ask(rig, [`00-${other}-${PARENT}-00`, undefined, `00-${other}-${PARENT}-00`, `00-${kept}-${PARENT}-01`]);
  expect(rig.spans.map(({ attributes, parentSpanId }) => [attributes['url.path'], parentSpanId])).toEqual([
    ['/1', undefined],
    ['/3', PARENT],
  ]);
});

test('when nobody says which, a parent decides and what has none is kept', () => {
  const rig = createRig(shipped);
  ask(rig, [undefined, `00-${TRACES[0]}-${PARENT}-00`, `00-${TRACES[0]}-${PARENT}-01`]);
  expect(rig.spans.map(({ attributes }) => attributes['url.path'])).toEqual(['/0', '/2']);
});
