/**
 * The spans of every capture of the corpora agree with tshark: method, target and status of each HTTP exchange,
 * command and type of reply of each RESP exchange, in the order of their connection.
 */
import { describe, expect, it } from 'vitest';
import { capturesOf, HTTP_CAPTURES, REDIS_CAPTURES } from './corpora.ts';
import { differences } from './differences.ts';
import { httpExchange, REPLY_TYPE, replaySpans, respExchange } from './span-lines.ts';
import { type Exchange, hasTshark, httpExchanges, respExchanges } from './tshark.ts';

/** tshark knows a protocol by its port: those of the corpora. */
const HTTP_PORTS = [22, 80, 1080, 4711, 5000, 7070, 8000, 8001, 8080, 9080];
const REDIS_PORTS = [6379, 10625];
/** Each starts tshark and Spanwire, several at a time, on a machine that may be busy. */
const TIMEOUT_MS = 120_000;

const httpCaptures = capturesOf(...HTTP_CAPTURES);
const redisCaptures = capturesOf(...REDIS_CAPTURES);
/** Exchanges that both know. */
const agreed = { http: 0, redis: 0 };

describe.skipIf(!hasTshark || httpCaptures.length === 0)('spans agree with tshark', () => {
  for (const { name, path } of httpCaptures) {
    it.concurrent(
      name,
      async () => {
        const spans = (await replaySpans(path)).filter(({ protocol }) => protocol === 'http');
        const theirs = await httpExchanges(path, HTTP_PORTS);
        const found = compare(spans.map(httpExchange), theirs.map(inOriginForm));
        agreed.http += theirs.length - found.filter(isMissing).length;
        expect(found).toEqual(differences(name));
      },
      TIMEOUT_MS,
    );
  }

  for (const { name, path } of redisCaptures) {
    it.concurrent(
      name,
      async () => {
        const spans = (await replaySpans(path, REPLY_TYPE)).filter(({ protocol }) => protocol === 'redis');
        const theirs = await respExchanges(path, REDIS_PORTS);
        const found = compare(spans.map(respExchange), theirs);
        agreed.redis += theirs.length - found.filter(isMissing).length;
        expect(found).toEqual(differences(name));
      },
      TIMEOUT_MS,
    );
  }

  it('on more than a few', () => {
    expect(agreed.http).toBeGreaterThan(100);
    expect(agreed.redis).toBeGreaterThan(1000);
  });
});

function isMissing(line: string): boolean {
  return line.includes(' - ');
}

/** A span has path and query; scheme and authority of an absolute target stand elsewhere (RFC 9112, section 3.2.2). */
function inOriginForm(exchange: Exchange): Exchange {
  return { ...exchange, request: exchange.request.replace(/^(\S+) [a-z][a-z0-9+.-]*:\/\/[^/?]*/i, '$1 ') };
}

/** What only one of both has: "+" the spans, "-" tshark. By connection, in order, the rest aligned. */
function compare(ours: readonly Exchange[], theirs: readonly Exchange[]): string[] {
  const clients = new Set([...ours, ...theirs].map(({ client }) => client));
  return [...clients].flatMap((client) => {
    const lines = (exchanges: readonly Exchange[]) =>
      exchanges.filter((one) => one.client === client).map(({ request, response }) => `${request} → ${response}`);
    return align(lines(ours), lines(theirs)).map((line) => `${client} ${line}`);
  });
}

/** The longest common subsequence left out. https://en.wikipedia.org/wiki/Longest_common_subsequence */
function align(ours: readonly string[], theirs: readonly string[]): string[] {
  const common = Array.from({ length: ours.length + 1 }, () => new Array<number>(theirs.length + 1).fill(0));
  for (let i = ours.length - 1; i >= 0; i--) {
    for (let j = theirs.length - 1; j >= 0; j--) {
      const isSame = ours[i] === theirs[j];
      common[i]![j] = isSame ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
    }
  }
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < ours.length || j < theirs.length) {
    if (i < ours.length && ours[i] === theirs[j]) [i, j] = [i + 1, j + 1];
    else if (j < theirs.length && (i === ours.length || common[i]![j + 1]! >= common[i + 1]![j]!))
      lines.push(`- ${theirs[j++]}`);
    else lines.push(`+ ${ours[i++]}`);
  }
  return lines;
}
