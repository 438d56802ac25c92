/** What connections may take of parsers' memory: room for very many, little for those that are silent. */
import { expect, test } from 'vitest';
import { ParserInstance } from '../../host/wasm/instance.ts';
import { loadModules, shippedModuleFolder } from '../../host/wasm/load.ts';
import { createRig } from './rig.ts';
import { Conversation } from './scripted-source.ts';

const MANY = 100_000;
const PAGE = 65_536;
const CONNECTIONS = 4000;
/** Of memory, in which it is taken. */
const STEP = 8 * PAGE;
const shipped = loadModules(shippedModuleFolder());
const http1 = shipped.filter(({ manifest }) => manifest.name === 'http1');

test.each(shipped.map((module) => [module.manifest.name, module] as const))(
  '%s has room for 100,000 connections',
  (_, module) => {
    const { slots, limits } = module.manifest;
    const before = new ParserInstance(module, 0).memoryBytes;
    expect(before + MANY * slots[0]!).toBeLessThanOrEqual(limits.memoryPages * PAGE);
  },
);

const REQUEST = 'GET /item HTTP/1.1\r\nHost: shop.example\r\n\r\n';
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n';

test.each([
  ['whole messages', [REQUEST], [`${HEAD}hello`], 0],
  ['a response whose body comes later', [REQUEST], [HEAD, 'he', 'llo'], 0],
  ['a request in pieces', [REQUEST.slice(0, 30), REQUEST.slice(30)], [`${HEAD}hello`], 1],
])('HTTP/1 with %s: what silent connections take', (_, request, response, grown) => {
  const rig = createRig(http1);
  const talks = Array.from({ length: CONNECTIONS }, (_, i) => new Conversation(rig.source, i));
  for (const [n, piece] of request.entries()) for (const talk of talks) talk.ask(piece, 1000 + n);
  for (const [n, piece] of response.entries()) for (const talk of talks) talk.answer(piece, 2000 + n);
  const before = new ParserInstance(http1[0]!, 0).memoryBytes;
  rig.run();
  const taken = rig.pipeline.parserMemoryBytes - before;
  expect(taken).toBeLessThanOrEqual(CONNECTIONS * (192 + grown * 640) + STEP);
  expect(rig.count('slots_grown')).toBe(grown * talks.length);
  expect(rig.finish()).toHaveLength(talks.length);
});
