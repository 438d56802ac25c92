import { describe, expect, test } from 'vitest';
import { ControlReader } from '../../host/kernel/control.ts';
import { KIND_EXEC, KIND_EXIT, KIND_LISTEN, RECORD } from '../../host/kernel/layout.ts';
import { createRecord, ScriptedSource } from './scripted-source.ts';

function read(...records: Uint8Array[]): unknown[] {
  const source = new ScriptedSource();
  for (const record of records) source.pushRaw(record);
  const events: unknown[] = [];
  const reader = new ControlReader(source, {
    exec: (tgid, path) => events.push(['exec', tgid, path]),
    exit: (tgid) => events.push(['exit', tgid]),
    listen: (tgid, port) => events.push(['listen', tgid, port]),
  });
  reader.poll();
  expect(source.pending()).toBe(0);
  return events;
}

const exec = (tgid: number, path: string) =>
  createRecord({ kind: KIND_EXEC, slot: 0, tgid, payload: Buffer.from(path) });
const exit = (tgid: number) => createRecord({ kind: KIND_EXIT, slot: 0, tgid });

describe('ControlReader', () => {
  test('events in the order of the kernel', () => {
    const listen = createRecord({ kind: KIND_LISTEN, slot: 0, tgid: 7, localPort: 8080 });
    expect(read(exec(7, '/bin/a\0'), listen, exit(7))).toEqual([
      ['exec', 7, '/bin/a'],
      ['listen', 7, 8080],
      ['exit', 7],
    ]);
  });

  test('a path ends at its NUL, or with the record', () => {
    expect(read(exec(1, '/bin/a\0rubbish'), exec(2, '/bin/b'), exec(3, ''))).toEqual([
      ['exec', 1, '/bin/a'],
      ['exec', 2, '/bin/b'],
      ['exec', 3, ''],
    ]);
  });

  test('more than one buffer full', () => {
    const many = Array.from({ length: 2000 }, (_, index) => exit(index));
    expect(read(...many)).toHaveLength(2000);
  });

  test('kinds it does not know are passed over', () => {
    expect(read(createRecord({ kind: 77, slot: 0 }), exit(1))).toEqual([['exit', 1]]);
  });

  test.each([
    ['no length', RECORD.length, 0],
    ['a length beyond the buffer', RECORD.length, 1 << 30],
    ['more captured than it holds', RECORD.captured, 1 << 30],
  ])('a record with %s ends the batch, it neither throws nor loops', (_, field, value) => {
    const bad = exec(1, '/bin/a');
    new DataView(bad.buffer).setUint32(field, value, true);
    expect(read(exit(9), bad, exit(10))).toEqual([['exit', 9]]);
  });
});
