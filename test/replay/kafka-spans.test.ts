/** The spans of every Kafka capture of the corpora agree with tshark: API key, version, correlation id and error code. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { capturesOf } from './corpora.ts';
import { replaySpans, type SpanLine } from './span-lines.ts';
import { hasTshark } from './tshark.ts';

const run = promisify(execFile);
/** tshark knows a protocol by its port: those of the corpora. */
const PORTS = [9092, 36333];
const CORRELATION_ID = 'kafka.correlation_id';
const FIELDS = ['tcp.dstport', 'kafka.api_key', 'kafka.api_version', 'kafka.correlation_id', 'kafka.error'];
/** Starts tshark and Spanwire, on a machine that may be busy. */
const TIMEOUT_MS = 120_000;

const captures = capturesOf('deepflow/kafka');

/** "API key, version, correlation id → error codes" of each request that was answered. */
async function exchangesOf(path: string): Promise<string[]> {
  const decodeAs = PORTS.flatMap((port) => ['-d', `tcp.port==${port},kafka`]);
  const fields = FIELDS.flatMap((field) => ['-e', field]);
  const { stdout } = await run('tshark', [
    '-n',
    '-r',
    path,
    '-2',
    ...decodeAs,
    '-Y',
    'kafka',
    '-T',
    'fields',
    ...fields,
  ]);
  const requests = new Map<string, string>();
  const exchanges: string[] = [];
  for (const line of stdout.split('\n').filter(Boolean)) {
    const [toPort, key, version, correlation = '', errors = ''] = line.split('\t');
    const request = requests.get(correlation);
    if (PORTS.includes(Number(toPort))) requests.set(correlation, `${key} v${version} #${correlation}`);
    else if (request) exchanges.push(`${request} → ${errors.split(',').find((code) => Number(code) !== 0) ?? 0}`);
  }
  return exchanges.sort();
}

function exchangeOf({ attributes }: SpanLine): string {
  const { 'kafka.api.key': key, 'kafka.api.version': version, 'kafka.error_code': error = 0 } = attributes;
  return `${key} v${version} #${attributes[CORRELATION_ID]} → ${error}`;
}

describe.skipIf(!hasTshark || captures.length === 0)('spans agree with tshark', () => {
  for (const { name, path } of captures) {
    it(
      name,
      async () => {
        const spans = (await replaySpans(path, CORRELATION_ID)).filter(({ protocol }) => protocol === 'kafka');
        const theirs = await exchangesOf(path);
        expect(theirs.length).toBeGreaterThan(0);
        expect(spans.map(exchangeOf).sort()).toEqual(theirs);
      },
      TIMEOUT_MS,
    );
  }
});
