/** What the SDK writes into the output arena is what the host reads: messages, definitions, references and hints. */
import { expect, test } from 'vitest';
import { decodeOutput } from '../../host/modules/trial/decode.ts';
import type { Manifest } from '../../host/wasm/manifest.ts';
import { OutputCheck } from '../../host/wasm/output.ts';
import * as abi from '../../parsers/sdk/abi.ts';
import { sdkModule } from '../sdk/module.ts';

const { call, put, at, memory } = await sdkModule(`
import { beginOutput, Definition, endOutput, hint, Message, skip, undefine } from './parsers/sdk/output';
export { layout } from './parsers/sdk/module';
export { beginOutput, endOutput };

export function define(key: u64, from: usize, length: u32, strings: u32): void {
  const definition = Definition.open(4096, key);
  for (let i: u32 = 0; i < strings; i++) definition.string(1, from, length);
  definition.int(2, 7);
  definition.commit();
}

export function request(key: u64, from: usize, length: u32, flags: u32): void {
  const message = Message.open(4096, ${abi.REQUEST});
  message.reference(key);
  message.string(1, from, length);
  for (let i: u32 = 0; i < flags; i++) message.bool(3, true);
  message.commit();
}

export function hints(): void {
  hint(4096, ${abi.DESYNC}, 3);
  skip(4096, ${abi.FROM_SERVER}, 0x100000002);
  undefine(4096, 9);
}
`);

const manifest = {
  protocols: [{ name: 'test' }],
  attributes: [
    { id: 1, name: 'text', type: 'string' },
    { id: 2, name: 'number', type: 'int' },
    { id: 3, name: 'flag', type: 'boolean' },
  ],
} as unknown as Manifest;

const layout = call('layout', 4096, 65536);

/** Start and end of what `write` puts out. */
function output(write: () => void): [start: number, end: number, view: DataView] {
  call('beginOutput');
  write();
  call('endOutput');
  const view = new DataView(memory().buffer);
  const start = view.getUint32(layout + abi.LAYOUT_OUTPUT, true);
  return [start, start + view.getUint32(layout + abi.LAYOUT_OUTPUT_LENGTH, true), view];
}

/** Lengths of the records, each of which the host finds sound. */
function soundRecords([start, end, view]: [number, number, DataView]): number[] {
  const check = new OutputCheck(manifest);
  const lengths: number[] = [];
  for (let place = start; place < end; place += lengths.at(-1)!) {
    lengths.push(view.getUint32(place + abi.OUT_LENGTH, true));
    expect(check.isSound(new Uint32Array(view.buffer), place, lengths.at(-1)!)).toBe(true);
  }
  expect(check.refused).toBe(0);
  return lengths;
}

test('a definition, a message that refers to it, and hints', () => {
  put(Buffer.from('SELECT 1'));
  const written = output(() => {
    call('define', 5n, at, 8, 1);
    call('request', 5n, at, 6, 0);
    call('hints');
  });
  expect(soundRecords(written)).toEqual([48, 88, 16, 24, 24]);
  const [start, , view] = written;
  expect(view.getUint16(start + abi.OUT_TYPE, true)).toBe(abi.DEFINE);
  expect(view.getUint32(start + abi.OUT_VALUE, true)).toBe(2);
  expect(view.getBigUint64(start + abi.OUT_KEY, true)).toBe(5n);
  expect(Buffer.from(view.buffer, start + abi.OUT_LONG + abi.ATTRIBUTE_VALUE, 8).toString()).toBe('SELECT 1');
});

test('the hints carry what they were given', () => {
  const [start, end, view] = output(() => call('hints'));
  expect(decodeOutput(view, start, start + 16, { manifest })).toMatchObject([{ type: 'desync', status: 3 }]);
  const records = [start + 16, start + 40].map((place) => [
    view.getUint16(place + abi.OUT_TYPE, true),
    view.getUint32(place + abi.OUT_SLOT, true),
    view.getUint32(place + abi.OUT_VALUE, true),
    view.getBigUint64(place + abi.OUT_KEY, true),
  ]);
  expect(records).toEqual([
    [abi.SKIP, 4096, abi.FROM_SERVER, 0x1_0000_0002n],
    [abi.UNDEFINE, 4096, 0, 9n],
  ]);
  expect(end).toBe(start + 64);
});

test('a definition that outgrows a record leaves out what does not fit', () => {
  put(Buffer.alloc(4000, 'x'));
  const written = output(() => call('define', 1n, at, 4000, 5));
  const [length] = soundRecords(written);
  expect(length).toBeLessThanOrEqual(abi.MESSAGE_MAX);
  expect(written[2].getUint32(written[0] + abi.OUT_VALUE, true)).toBe(4);
});

test('a message never has more attributes than the host reads', () => {
  const written = output(() => call('request', 1n, at, 3, 300));
  expect(soundRecords(written)).toHaveLength(1);
  expect(written[2].getUint16(written[0] + abi.MESSAGE_ATTRIBUTES, true)).toBe(abi.ATTRIBUTES_MAX);
  expect(written[2].getUint16(written[0] + abi.OUT_FLAGS, true)).toBe(abi.MESSAGE_PARTIAL);
});
