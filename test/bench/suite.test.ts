/**
 * The suite's own promises: what `--quick --json` writes has the form that its readers count on, every figure of it was
 * measured, and --compare tells a change from noise. With one round: the values are worth nothing, their form is.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { compareFigures, renderChanges } from '../../bench/suite/compare.ts';
import { type Figure, figure } from '../../bench/suite/figures.ts';
import type { Result } from '../../bench/suite/result.ts';

const ROOT = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'spanwire-bench-test-'));
const PROTOCOLS = ['http1', 'redis', 'http2', 'grpc', 'postgres', 'mysql', 'kafka'];

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function bench(...args: string[]): Promise<Result> {
  const { stdout } = await promisify(execFile)(process.execPath, ['bench/main.ts', ...args], { cwd: ROOT });
  return JSON.parse(stdout) as Result;
}

function expectPositive(values: Record<string, number> | undefined, names: readonly string[]): void {
  expect(Object.keys(values ?? {}).sort()).toEqual([...names].sort());
  for (const value of Object.values(values ?? {})) expect(value).toBeGreaterThan(0);
}

describe('npm run bench', () => {
  it('writes the headline figures as JSON, and what changed', { timeout: 300_000 }, async () => {
    const first = await bench('--quick', '--json', '--rounds', '1');
    expect(first).toMatchObject({
      format: 1,
      quick: true,
      rounds: 1,
      ring: expect.stringMatching(/^(kernel|memory)$/),
    });
    const { headline, figures } = first;
    for (const values of [headline.pairsPerSecond, headline.nsPerPair, headline.floorRatio]) {
      expectPositive(values, PROTOCOLS);
    }
    expectPositive(headline.bytesPerConnection, ['idle', 'exchanged', 'asked']);
    for (const ratio of [headline.otelRatio, headline.rejectRatio, headline.rejectNewRatio]) {
      expect(ratio).toBeGreaterThan(0);
    }
    expect(new Set(figures.map(({ name }) => name)).size).toBe(figures.length);
    for (const { name, median, low, high } of figures)
      expect([name, low <= median && median <= high]).toEqual([name, true]);

    const old = join(folder, 'old.json');
    writeFileSync(old, JSON.stringify(first));
    const { compared } = await bench('--only', 'otel', '--json', '--rounds', '1', '--compare', old);
    expect(compared?.changes.map(({ name }) => name)).toEqual(['otel/ours', 'otel/theirs', 'otel/ratio']);
    expect(compared?.onlyBefore).toContain('protocols/http1/ns');
  });

  it('refuses parts and results that it does not know', { timeout: 60_000 }, async () => {
    await expect(bench('--only', 'nothing')).rejects.toThrow(/no part "nothing": protocols, /);
    const wrong = join(folder, 'wrong.json');
    writeFileSync(wrong, '{"format":1}');
    await expect(bench('--compare', wrong)).rejects.toThrow(/not a result of this bench/);
  });
});

describe('--compare', () => {
  const before: Figure[] = [
    figure('fast', 'ns/pair', [10, 11, 12, 13]),
    figure('noisy', 'ns/pair', [10, 20, 30, 40]),
    figure('rate', 'pairs/s', [100, 101, 102, 103]),
    figure('gone', 'ns/pair', [1]),
  ];
  const after: Figure[] = [
    figure('fast', 'ns/pair', [20, 21, 22, 23]),
    figure('noisy', 'ns/pair', [15, 25, 35, 45]),
    figure('rate', 'pairs/s', [200, 201, 202, 203]),
    figure('new', 'ns/pair', [1]),
  ];

  it('calls better or worse only what lies beyond the quarters of both', () => {
    const { changes, onlyBefore, onlyAfter } = compareFigures(before, after);
    expect(changes.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['fast', 'worse'],
      ['noisy', 'same'],
      ['rate', 'better'],
    ]);
    expect(changes[0]?.ratio).toBeCloseTo(22 / 12);
    expect([onlyBefore, onlyAfter]).toEqual([['gone'], ['new']]);
  });

  it('shows it', () => {
    const text = renderChanges(compareFigures(before, after));
    expect(text).toMatch(/^fast \(ns\/pair\) +12 +22 +1\.83 +worse$/m);
    expect(text).toContain('only before: gone');
  });
});
