/** https://www.w3.org/TR/trace-context/#traceparent-header */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyTraceParent, IdSource, parseTraceParent } from './trace-context.ts';

const VALID = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

/** Parsed in the middle of other bytes, as the pipeline does. */
function parse(text: string) {
  const into = emptyTraceParent();
  const bytes = Buffer.from(`xx${text}-f`, 'latin1');
  if (!parseTraceParent(bytes, 2, text.length, into)) return undefined;
  return { trace: hex(into.traceId), parent: hex(into.parentId), flags: into.flags };
}

function hex(words: Uint32Array): string {
  return [...words].map((word) => word.toString(16).padStart(8, '0')).join('');
}

describe('parseTraceParent', () => {
  test('takes what the specification shows', () => {
    const expected = { trace: '0af7651916cd43dd8448eb211c80319c', parent: 'b7ad6b7169203331', flags: 1 };
    expect(parse(VALID)).toEqual(expected);
  });

  test.each([
    ['a later version, same length', `cc${VALID.slice(2)}`],
    ['a later version that carries more', `cc${VALID.slice(2)}-what-the-future-brings`],
    ['flags that have no meaning yet', VALID.replace(/01$/, 'ff')],
    ['not sampled', VALID.replace(/01$/, '00')],
  ])('takes %s', (_, text) => {
    expect(parse(text)).toMatchObject({ parent: 'b7ad6b7169203331' });
  });

  test.each([
    ['nothing', ''],
    ['version ff', `ff${VALID.slice(2)}`],
    ['version 00 that carries more', `${VALID}-more`],
    ['a later version that runs on without a dash', `cc${VALID.slice(2)}.more`],
    ['a trace id of zeros', VALID.replace(/-[0-9a-f]{32}-/, `-${'0'.repeat(32)}-`)],
    ['a parent id of zeros', VALID.replace('b7ad6b7169203331', '0'.repeat(16))],
    ['upper case', VALID.toUpperCase()],
    ['a letter that is no digit', VALID.replace('0af', '0ag')],
    ['one digit too few', VALID.slice(0, -1)],
    ['a dash in the wrong place', VALID.replace('00-0a', '000-a')],
    ['no version', `  ${VALID.slice(2)}`],
    ['flags that are no digits', VALID.replace(/01$/, '0x')],
  ])('refuses %s', (_, text) => {
    expect(parse(text)).toBeUndefined();
  });

  test('every pair of ids comes back as it was written', () => {
    const id = (digits: number) =>
      fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits, maxLength: digits });
    fc.assert(
      fc.property(id(32), id(16), fc.nat({ max: 255 }), (trace, parent, flags) => {
        const valid = /[^0]/.test(trace) && /[^0]/.test(parent);
        const text = `00-${trace}-${parent}-${flags.toString(16).padStart(2, '0')}`;
        expect(parse(text)).toEqual(valid ? { trace, parent, flags } : undefined);
      }),
    );
  });

  test('no bytes make it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(typeof parseTraceParent(bytes, 0, bytes.length, emptyTraceParent())).toBe('boolean');
      }),
    );
  });
});

test('ids are never zero and do not repeat', () => {
  const source = new IdSource();
  const seen = new Set<string>();
  const words = new Uint32Array(4);
  for (let i = 0; i < 20_000; i++) {
    source.fill(words, 1, 2);
    expect(words[1]).not.toBe(0);
    seen.add(`${words[1]}-${words[2]}`);
  }
  expect(seen.size).toBe(20_000);
  expect([words[0], words[3]]).toEqual([0, 0]);
});
