/**
 * From the batch in TypeScript to the engine: copies a row to the engine's row 0 and has it measured. It goes away as soon
 * as the engine assembles spans itself, and measures each in its place.
 */
import type { Engine } from '../engine/engine.ts';
import * as l from '../engine/layout/spans.ts';
import type { SpanColumns } from '../spans/batch.ts';
import type { Endpoint } from '../spans/endpoint.ts';

const IPV4 = 2;
const IPV6 = 10;

export type Measure = (columns: SpanColumns, row: number, resource: number) => void;

export function measureThrough(engine: Engine): Measure {
  const { u8, u32 } = engine;
  const u16 = engine.column(Uint16Array, 0, l.ROWS_FREE >>> 1);
  const addresses = new WeakMap<Endpoint, Uint8Array>();
  return (c, row, resource) => {
    const endpoint = c.endpoints[row]!;
    const at = c.attributesAt[row]!;
    const count = c.requestAttributes[row]! + c.responseAttributes[row]!;
    let end = at;
    for (let left = count; left > 0; left--) end += 1 + (((c.words[end]! >>> 16) + 3) >>> 2);
    for (let word = at; word < end; word++) u32[(l.ROW_WORDS >>> 2) + word - at] = c.words[word]!;
    for (let half = 0; half < 2; half++) {
      u32[(l.ROW_START >>> 2) + half] = c.start[row * 2 + half]!;
      u32[(l.ROW_END >>> 2) + half] = c.end[row * 2 + half]!;
    }
    u32[l.ROW_STATUS >>> 2] = c.status[row]!;
    u32[l.ROW_ATTRIBUTES_AT >>> 2] = 0;
    u32[l.ROW_RESOURCE >>> 2] = resource;
    u16[l.ROW_PROTOCOL >>> 1] = c.protocol[row]!;
    u16[l.ROW_FLAGS >>> 1] = c.flags[row]!;
    u16[l.ROW_REQUEST_ATTRIBUTES >>> 1] = count;
    u16[l.ROW_RESPONSE_ATTRIBUTES >>> 1] = 0;
    u16[l.ROW_REMOTE_PORT >>> 1] = endpoint.remotePort;
    const remote = addresses.get(endpoint) ?? addressBytes(endpoint.remoteAddress);
    addresses.set(endpoint, remote);
    u8[l.ROW_FAMILY] = remote.length === 0 ? 0 : remote.length === 4 ? IPV4 : IPV6;
    u8.set(remote, l.ROW_ADDRESSES + 16);
    engine.exports.measure!(0);
  };
}

/** 4 or 16 bytes, as `addressText` made text of them; none for no address. */
function addressBytes(text: string): Uint8Array {
  if (text === '') return new Uint8Array(0);
  if (!text.includes(':')) return Uint8Array.from(text.split('.').map(Number));
  const [before = [], after = []] = text.split('::').map((part) => part.split(':').filter((group) => group !== ''));
  const zeros = new Array<string>(8 - before.length - after.length).fill('0');
  const groups = [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16));
  return Uint8Array.from(groups.flatMap((group) => [group >>> 8, group & 0xff]));
}
