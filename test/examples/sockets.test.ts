/** Conversations of the example's client and server, recorded from their sockets: both parsers see every request. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { expect, test } from 'vitest';
import { ask as askServer, type Done } from '../../examples/parser-ask/client.ts';
import { createAskServer } from '../../examples/parser-ask/server.ts';
import { type Output, parse } from '../../host/modules/trial/harness.ts';
import type { Parser } from '../../host/modules/trial/parser.ts';
import type { Step } from '../../host/modules/trial/steps.ts';
import { data } from '../../host/modules/trial/traffic.ts';
import { FROM_CLIENT, FROM_SERVER } from '../../parsers/sdk/abi.ts';
import { loadExamples } from './modules.ts';

const { ask, inC } = await loadExamples();

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** Forwards to `port`, and keeps what went by of each connection. */
function recorder(port: number, recorded: Step[][]): Server {
  return createServer((client) => {
    const steps: Step[] = [];
    recorded.push(steps);
    const server = connect(port, '127.0.0.1');
    client.on('data', (bytes) => steps.push({ ...data(FROM_CLIENT, bytes), timestamp: steps.length + 1 }));
    server.on('data', (bytes) => steps.push({ ...data(FROM_SERVER, bytes), timestamp: steps.length + 1 }));
    client.pipe(server).pipe(client);
  });
}

async function record(bytes: number): Promise<{ done: Done; recorded: Step[][] }> {
  const recorded: Step[][] = [];
  const server = createAskServer();
  const proxy = recorder(await listen(server), recorded);
  const port = await listen(proxy);
  const done = await askServer({ port, requests: 500, connections: 4, depth: 8, errors: 0.1, casts: 0.05, bytes });
  proxy.close();
  server.close();
  return { done, recorded };
}

/** Response by key, as the host pairs them. */
function pairs(output: readonly Output[]): [Output, Output][] {
  const responses = new Map(output.filter(({ type }) => type === 'response').map((one) => [one.key, one]));
  const calls = output.filter(({ type, flags }) => type === 'request' && !flags.includes('no-response'));
  return calls.map((call) => [call, responses.get(call.key)!]);
}

function expectAll(parser: Parser, { done, recorded }: Awaited<ReturnType<typeof record>>, bytes: number): void {
  const outputs = recorded.map((steps) => parse(parser, steps));
  const all = outputs.flatMap(pairs);
  expect(all.length).toBe(done.calls);
  for (const [call, answer] of all) {
    expect(answer.first).toBeGreaterThan(call.first);
    expect(answer.status).toBe(call.attributes['rpc.method'] === 'missing' ? 404 : 0);
    expect(call.bodyBytes).toBe(bytes);
  }
  expect(all.filter(([, { flags }]) => flags.includes('error')).length).toBe(done.errors);
  const requests = outputs.flat().filter(({ type }) => type === 'request');
  const methods = Object.groupBy(requests, ({ attributes }) => String(attributes['rpc.method']));
  expect(Object.fromEntries(Object.entries(methods).map(([name, ones]) => [name, ones!.length]))).toEqual(done.methods);
  expect(requests.filter(({ flags }) => flags.includes('no-response')).length).toBe(done.casts);
}

test.each([0, 16, 40_000])('every request is seen, with payloads of %i bytes', async (bytes) => {
  const conversation = await record(bytes);
  expect(conversation.done).toMatchObject({ calls: 475, casts: 25, answers: 475, errors: 47 });
  for (const parser of [ask, inC]) expectAll(parser, conversation, bytes);
});
