/** Which parser is compared with which, on what, and what is promised of it. */
import type { Parser } from '../host/modules/trial/parser.ts';
import { kafkajsSide, kafkaTraffic } from './clients/kafka.ts';
import { mysql2, mysqlTraffic } from './clients/mysql.ts';
import { pgProtocol, postgresTraffic } from './clients/postgres.ts';
import { GuestRun } from './guest-run.ts';
import { HpackRun } from './hpack-run.ts';
import {
  type BlockTraffic,
  browserTraffic,
  bytesOf,
  headerBlocks,
  openTraffic,
  type ParserTraffic,
} from './parser-traffic.ts';
import type { Comparison, Side } from './parsers.ts';
import { type Reference, tableOf } from './reference.ts';
import { shippedParsers } from './traffic.ts';

/** Ours to theirs: at least twice as fast, at most one and a half times the time, at least five times as fast. */
const TWICE = 1 / 2;
const HALF_AS_MUCH_AGAIN = 3 / 2;
const FIVE_TIMES = 1 / 5;
/** Of ours side by side, where a turn is timed alone: reading the clock is then little of it. */
const CONNECTIONS = 16;

export async function comparisons(reference: Reference): Promise<Comparison[]> {
  const { threadCpuNs } = reference;
  const parsers = new Map(shippedParsers().map((parser) => [parser.name, parser]));
  const parserOf = (name: string) => parsers.get(name)!;
  const [postgres, mysql, kafka] = [postgresTraffic(), mysqlTraffic(parserOf('mysql')), await kafkaTraffic()];
  const blocks = headerBlocks(reference.deflateHpack);
  return [
    http('HTTP/1, heads of 200 to 350 B', parserOf('http1'), openTraffic('http1'), reference),
    http('HTTP/1, heads of 650 to 800 B', parserOf('http1'), browserTraffic(), reference),
    ...(await Promise.all(blocks.map((one) => hpack(one, reference)))),
    ...resp(parserOf('redis'), reference),
    ...answers(
      {
        name: 'Postgres',
        parser: parserOf('postgres'),
        traffic: postgres,
        reference: 'pg-protocol',
        theirs: pgProtocol(postgres),
      },
      threadCpuNs,
    ),
    ...answers(
      { name: 'MySQL', parser: parserOf('mysql'), traffic: mysql, reference: 'mysql2', theirs: mysql2(mysql) },
      threadCpuNs,
    ),
    ...answers(
      { name: 'Kafka', parser: parserOf('kafka'), traffic: kafka, reference: 'kafkajs', theirs: kafkajsSide(kafka) },
      threadCpuNs,
    ),
  ];
}

function http(name: string, parser: Parser, traffic: ParserTraffic, { parseHttp }: Reference): Comparison {
  const { bytes, chunks } = tableOf(bytesOf(traffic.lap));
  return {
    name,
    reference: 'llhttp',
    limit: TWICE,
    ours: allMessages(parser, traffic),
    theirs: { run: (laps) => parseHttp(bytes, chunks, laps).items },
  };
}

async function hpack({ name, blocks }: BlockTraffic, { inflateHpack }: Reference): Promise<Comparison> {
  const { bytes, chunks } = tableOf(blocks);
  const own = await HpackRun.compile(blocks);
  own.run(1);
  const theirs = inflateHpack(bytes, chunks, 1);
  if (own.bytes !== theirs.bytes) throw new Error(`HPACK, ${name}: ${own.bytes} bytes of text, not ${theirs.bytes}`);
  return {
    name: `HPACK, ${name}`,
    reference: 'libnghttp2',
    limit: HALF_AS_MUCH_AGAIN,
    ours: {
      run: (laps) => {
        const before = own.items;
        own.run(laps);
        return own.items - before;
      },
    },
    theirs: { run: (laps) => inflateHpack(bytes, chunks, laps).items },
  };
}

function resp(parser: Parser, { parseResp }: Reference): Comparison[] {
  const traffic = openTraffic('redis');
  const { bytes, chunks } = tableOf(bytesOf(traffic.lap));
  return [true, false].map((makesObjects) => ({
    name: 'RESP',
    reference: makesObjects ? 'hiredis' : 'hiredis without objects',
    ...(makesObjects ? { limit: HALF_AS_MUCH_AGAIN } : {}),
    ours: allMessages(parser, traffic),
    theirs: { run: (laps) => parseResp(bytes, chunks, laps, makesObjects).items },
  }));
}

interface AnswersSetup {
  readonly name: string;
  readonly parser: Parser;
  readonly traffic: ParserTraffic;
  readonly reference: string;
  readonly theirs: Side;
}

/**
 * A client's parser reads what the server says, and nothing else. So the same bytes are those; what ours takes for both
 * ways, with the statements and requests that only it reads, stands beside.
 */
function answers({ name, parser, traffic, reference, theirs }: AnswersSetup, now: () => number): Comparison[] {
  const run = new GuestRun(parser, traffic, { connections: CONNECTIONS, now });
  const both: Side = {
    conversations: CONNECTIONS,
    run: (laps) => {
      const { responses } = run;
      run.run(laps);
      if (run.responses !== run.requests) throw new Error(`${name}: ${run.requests} asked, ${run.responses} answered`);
      return run.responses - responses;
    },
  };
  const server = { ...both, clock: () => run.serverNs };
  return [
    { name: `${name}, answers`, reference, limit: FIVE_TIMES, ours: server, theirs },
    { name: `${name}, both ways to answers`, reference, ours: both, theirs },
  ];
}

/** Requests and responses: for references that read both ways. */
function allMessages(parser: Parser, traffic: ParserTraffic): Side {
  const run = new GuestRun(parser, traffic);
  return {
    run: (laps) => {
      const before = run.requests + run.responses;
      run.run(laps);
      return run.requests + run.responses - before;
    },
  };
}
