/**
 * The spans of every capture of the corpora agree with tshark, exchange by exchange, in the order of their connection;
 * `oracles/` says by what. A capture in which nothing can be compared is listed with its reason in differences.ts.
 */
import { describe, expect, it } from 'vitest';
import { captureFolders, capturesOf } from './corpora.ts';
import { differences, SILENT, STATED } from './differences.ts';
import { compare } from './oracles/compare.ts';
import { oraclesOf, readBoth } from './oracles/index.ts';
import { hasTshark } from './tshark.ts';

/** Each starts tshark and Spanwire, several at a time, on a machine that may be busy. */
const TIMEOUT_MS = 120_000;
/** Exchanges that both know, at least: what the corpora hold. */
const LEAST: Readonly<Record<string, number>> = { http: 120, http2: 2, kafka: 8, mysql: 500, pgsql: 90, resp: 1190 };

const captures = capturesOf(...captureFolders());
const agreed = new Map<string, number>();

describe.skipIf(!hasTshark || captures.length === 0)('spans agree with tshark', () => {
  for (const { name, path } of captures) {
    it.concurrent(
      name,
      async () => {
        const oracles = oraclesOf(name);
        expect(oracles, 'nobody knows what this capture speaks').not.toEqual([]);
        const { ours, theirs } = await readBoth(path, oracles);
        const found = compare(
          ours,
          theirs,
          oracles.some(({ isKeyed }) => isKeyed),
        );
        const own = theirs.length - found.filter((line) => line.includes(' - ')).length;
        for (const { dissector } of oracles) agreed.set(dissector, (agreed.get(dissector) ?? 0) + own);
        expect(found).toEqual(differences(name));
        expect(theirs.length === 0 && ours.length === 0, 'listed as silent').toBe(SILENT.has(name));
      },
      TIMEOUT_MS,
    );
  }

  it('on more than a few', () => {
    const few = Object.entries(LEAST).filter(([dissector, least]) => (agreed.get(dissector) ?? 0) < least);
    expect(few).toEqual([]);
  });

  it('and nothing is listed that is not there', () => {
    const names = new Set(captures.map(({ name }) => name));
    expect(STATED.filter((name) => !names.has(name))).toEqual([]);
  });
});
