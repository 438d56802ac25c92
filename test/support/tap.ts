/** A TCP relay that records what goes by: steps of each connection, as the parser harness takes them. */
import { type AddressInfo, connect, createServer } from 'node:net';
import type { Step } from '../../host/modules/trial/steps.ts';
import { DATA, FROM_CLIENT, FROM_SERVER } from '../../parsers/sdk/abi.ts';

export interface Tap {
  readonly port: number;
  /** In the order in which they were opened. */
  readonly connections: Step[][];
  close(): Promise<void>;
}

export async function openTap(serverPort: number): Promise<Tap> {
  const connections: Step[][] = [];
  const listener = createServer((client) => {
    const steps: Step[] = [];
    connections.push(steps);
    const upstream = connect(serverPort, '127.0.0.1');
    client.on('data', recorder(steps, FROM_CLIENT)).pipe(upstream);
    upstream.on('data', recorder(steps, FROM_SERVER)).pipe(client);
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    connections,
    close: () => new Promise((resolve) => listener.close(() => resolve())),
  };
}

/** Each read is a step, and its number the time. */
export function recorder(steps: Step[], direction: number): (bytes: Buffer) => void {
  return (bytes) => {
    steps.push({ kind: DATA, direction, bytes, wireLength: bytes.length, timestamp: steps.length + 1 });
  };
}
