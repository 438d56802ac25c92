/** The data path makes no garbage: through a million pairs, encoded and exported, the heap is left alone. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadReference } from '../../bench/reference.ts';
import type { Garbage } from './garbage-run.ts';

const RUN = join(import.meta.dirname, 'garbage-run.ts');
/** As the agent's workers are made (host/workers.ts): collections would be rarer with more. */
const YOUNG = ['--max-semi-space-size=2', '--min-semi-space-size=2'];

test.each(['http1', 'redis', 'postgres'])('a million pairs of %s', { timeout: 300_000 }, async (protocol) => {
  loadReference();
  const child = fork(RUN, [protocol], { execArgv: YOUNG });
  const [garbage] = (await once(child, 'message')) as [Garbage];
  expect(garbage.pairs).toBeGreaterThanOrEqual(1_000_000);
  expect(garbage.exported).toBeGreaterThanOrEqual(990_000);
  expect(garbage.major).toBe(0);
  expect(garbage.minor).toBeLessThan(30);
});
