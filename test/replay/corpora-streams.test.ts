/** The streams that replay puts together are those of tshark, byte for byte, in every capture of the corpora. */
import { describe, expect, it } from 'vitest';
import { addressText } from '../../host/spans/endpoint.ts';
import { capturesOf, HTTP_CAPTURES, REDIS_CAPTURES } from './corpora.ts';
import { type ReplayRecord, replayFile } from './records.ts';
import { type FollowedStream, followStreams, hasTshark } from './tshark.ts';

/** Streams in which replay and tshark differ on purpose. */
const DIFFERENCES: Record<string, string> = {};

/** By "sender > receiver": what the sender sent on all their connections, one after the other. */
type Flows = Map<string, Buffer>;

describe.skipIf(!hasTshark)('streams agree with tshark', () => {
  for (const { name, path } of capturesOf(...HTTP_CAPTURES, ...REDIS_CAPTURES)) {
    it.concurrent(name, async () => {
      const { records } = replayFile(path);
      const [ours, holed] = [flowsOf(records), withGaps(records)];
      const theirs = followedFlows(await followStreams(path));
      const differing: string[] = [];
      for (const [flow, bytes] of theirs) {
        if (!holed.has(flow) && !bytes.equals(ours.get(flow) ?? Buffer.alloc(0))) differing.push(flow);
      }
      expect(differing).toEqual(DIFFERENCES[name] === undefined ? [] : [DIFFERENCES[name]]);
      expect([...ours.keys()].filter((flow) => !theirs.has(flow))).toEqual([]);
    });
  }
});

function flowOf({ local, remote, localPort, remotePort, family, direction }: ReplayRecord): string {
  const [server, client] = [endpoint(local, family, localPort), endpoint(remote, family, remotePort)];
  return direction === 'in' ? `${client} > ${server}` : `${server} > ${client}`;
}

function endpoint(address: Uint8Array, family: number, port: number): string {
  const text = addressText(address, family);
  return family === 2 ? `${text}:${port}` : `[${text}]:${port}`;
}

function flowsOf(records: readonly ReplayRecord[]): Flows {
  const flows: Flows = new Map();
  for (const record of records) {
    if (record.kind === 'data') append(flows, flowOf(record), Buffer.from(record.payload).subarray(1));
  }
  return flows;
}

function followedFlows(streams: readonly FollowedStream[]): Flows {
  const flows: Flows = new Map();
  for (const { nodes, bytes } of streams) {
    append(flows, `${nodes[0]} > ${nodes[1]}`, bytes[0]);
    append(flows, `${nodes[1]} > ${nodes[0]}`, bytes[1]);
  }
  return flows;
}

function append(flows: Flows, flow: string, bytes: Buffer): void {
  flows.set(flow, Buffer.concat([flows.get(flow) ?? Buffer.alloc(0), bytes]));
}

/** Flows of which bytes are missing: tshark writes words of its own into those. */
function withGaps(records: readonly ReplayRecord[]): Set<string> {
  const holed = new Set<string>();
  const next = new Map<string, number>();
  for (const record of records) {
    if (record.kind === 'close') continue;
    const key = `${record.connection} ${record.direction}`;
    const expected = next.get(key) ?? record.origin ?? record.position;
    if (record.position !== expected || record.truncated) holed.add(flowOf(record));
    next.set(key, (record.position + record.moved) >>> 0);
  }
  return holed;
}
