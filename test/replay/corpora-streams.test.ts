/** The streams that replay puts together are those of tshark, byte for byte and gap for gap, in all of the corpora. */
import { describe, expect, it } from 'vitest';
import { addressText } from '../../host/spans/endpoint.ts';
import { captureFolders, capturesOf } from './corpora.ts';
import { type ReplayRecord, replayFile } from './records.ts';
import { type FollowedStream, followStreams, hasTshark } from './tshark.ts';

/** Where replay and tshark differ, and why. */
const DIFFERENCES: Record<string, { flows: string[]; reason: string }> = {
  'deepflow/http/grpc-server-stream.pcap': {
    flows: ['127.0.0.1:9001 > 127.0.0.1:59854'],
    reason: 'what waits behind a hole at the end of the file is delivered; tshark leaves it out',
  },
};

/** tshark starts for each capture, several at a time, on a machine that may be busy. */
const TIMEOUT_MS = 120_000;

/** By "sender > receiver": what the sender sent on all their connections, one after the other. */
type Flows = Map<string, Buffer>;

const captures = capturesOf(...captureFolders());

describe.skipIf(!hasTshark || captures.length === 0)('streams agree with tshark', () => {
  for (const { name, path } of captures) {
    it.concurrent(
      name,
      async () => {
        const ours = flowsOf(replayFile(path).records);
        const theirs = followedFlows(await followStreams(path));
        const flows = new Set([...ours.keys(), ...theirs.keys()]);
        const differing = [...flows].filter((flow) => !bytesOf(ours, flow).equals(bytesOf(theirs, flow)));
        expect(flows.size).toBeGreaterThan(0);
        expect(differing).toEqual(DIFFERENCES[name]?.flows ?? []);
      },
      TIMEOUT_MS,
    );
  }
});

function flowsOf(records: readonly ReplayRecord[]): Flows {
  const flows: Flows = new Map();
  const next = new Map<string, number>();
  for (const record of records) {
    if (record.kind === 'close') continue;
    const key = `${record.connection} ${record.direction}`;
    const missing = (record.position - (next.get(key) ?? record.origin ?? record.position)) >>> 0;
    next.set(key, (record.position + record.moved) >>> 0);
    const words = missing > 0 ? `[${missing} bytes missing in capture file]\0` : '';
    append(flows, flowOf(record), Buffer.concat([Buffer.from(words), record.payload]));
  }
  return flows;
}

function flowOf({ local, remote, localPort, remotePort, family, direction }: ReplayRecord): string {
  const [server, client] = [endpoint(local, family, localPort), endpoint(remote, family, remotePort)];
  return direction === 'in' ? `${client} > ${server}` : `${server} > ${client}`;
}

function endpoint(address: Uint8Array, family: number, port: number): string {
  const text = addressText(address, family);
  return family === 2 ? `${text}:${port}` : `[${text}]:${port}`;
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
  flows.set(flow, Buffer.concat([bytesOf(flows, flow), bytes]));
}

function bytesOf(flows: Flows, flow: string): Buffer {
  return flows.get(flow) ?? Buffer.alloc(0);
}
