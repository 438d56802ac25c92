/** Every protocol's conversations: the everyday one, and those of messages of a wanted size. */
import type { Parser } from '../../../host/modules/trial/parser.ts';
import type { Step } from '../../../host/modules/trial/steps.ts';
import { kafkaTraffic } from '../../clients/kafka.ts';
import { mysqlTraffic, sizedMysql } from '../../clients/mysql.ts';
import { postgresTraffic, sizedPostgres } from '../../clients/postgres.ts';
import { openTraffic, type ParserTraffic } from '../../parser-traffic.ts';
import { loadReference } from '../../reference.ts';
import { type Conversation, inPieces, padded, type Turn, turns } from './conversation.ts';
import { sizedHttp } from './http.ts';
import { grpcConversation, http2Conversation } from './http2.ts';
import { pipelineOf, sizedRedis } from './redis.ts';

export const PROTOCOLS = ['http1', 'redis', 'http2', 'grpc', 'postgres', 'mysql', 'kafka'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** Of the everyday conversations: what a pipeline has in bench/traffic.ts. */
const EVERYDAY_PIPELINE = 16;
const EVERYDAY_BYTES = 400;
const PORTS = { http1: 80, redis: 6379, postgres: 5432, mysql: 3306, kafka: 9092 };

/** With `bytes` the larger messages have about that many, or as few as their protocol allows. */
export async function conversationOf(protocol: Protocol, parsers: readonly Parser[], bytes?: number) {
  return bytes === undefined ? everyday(protocol, parsers) : sized(protocol, parsers, bytes);
}

async function everyday(protocol: Protocol, parsers: readonly Parser[]): Promise<Conversation> {
  if (protocol === 'http2') return http2Conversation(loadReference().deflateHpack, EVERYDAY_BYTES);
  if (protocol === 'grpc') return grpcConversation(loadReference().deflateHpack, EVERYDAY_BYTES);
  if (protocol === 'http1') return plain(protocol, openTraffic('http1'));
  if (protocol === 'redis') return plain(protocol, openTraffic('redis'), EVERYDAY_PIPELINE);
  if (protocol === 'postgres') return plain(protocol, postgresTraffic());
  if (protocol === 'mysql') return plain(protocol, mysqlTraffic(mysqlParser(parsers)));
  return plain(protocol, await kafkaTraffic());
}

async function sized(protocol: Protocol, parsers: readonly Parser[], bytes: number): Promise<Conversation> {
  if (protocol === 'http2') return http2Conversation(loadReference().deflateHpack, bytes);
  if (protocol === 'grpc') return grpcConversation(loadReference().deflateHpack, bytes);
  if (protocol === 'http1') return plain(protocol, { prologue: [], lap: sizedHttp(bytes) });
  if (protocol === 'redis') return plain(protocol, { prologue: [], lap: sizedRedis(bytes) }, pipelineOf(bytes));
  if (protocol === 'kafka') return plain(protocol, await kafkaTraffic(bytes));
  const { prologue, lap } =
    protocol === 'postgres'
      ? pieces(postgresTraffic().prologue, bytes, sizedPostgres)
      : pieces(mysqlTraffic(mysqlParser(parsers)).prologue, bytes, sizedMysql);
  return plain(protocol, { prologue, lap });
}

function pieces(prologue: readonly Step[], bytes: number, make: (filling: string) => readonly Step[]): ParserTraffic {
  return { prologue, lap: inPieces(padded(bytes, make)) };
}

/** A connection whose bytes are the same in every lap. What a server says first, a login and its answer, is one turn; MySQL's is a command. */
function plain(protocol: keyof typeof PORTS, { prologue, lap }: ParserTraffic, pairs = 1): Conversation {
  const opening: Turn[] = prologue.length === 0 ? [] : [{ calls: prologue, pairs: protocol === 'mysql' ? 1 : 0 }];
  return { port: PORTS[protocol], opening, lap: turns(lap, pairs) };
}

function mysqlParser(parsers: readonly Parser[]): Parser {
  return parsers.find(({ name }) => name === 'mysql')!;
}
