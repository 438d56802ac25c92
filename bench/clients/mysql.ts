/** Queries as mysql2 sends them, a server's answers to them, and mysql2's reader of those answers: packets and rows. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Parser } from '../../host/modules/trial/parser.ts';
import type { Step } from '../../host/modules/trial/steps.ts';
import { FROM_CLIENT, FROM_SERVER } from '../../parsers/sdk/abi.ts';
import { type ParserTraffic, step } from '../parser-traffic.ts';
import type { Side } from '../parsers.ts';

const LOGIN = 'A login with a database';
const LIST_ROWS = 20;
const ORDER = ['4711', 'a.customer@example.com', '2024-11-05 10:00:00', '149.90', 'shipped'];
const COLUMNS = ['id', 'email', 'created_at', 'total', 'state'];
const VAR_STRING = 0xfd;
const UTF8 = 33;
const SELECT = 'SELECT id, email, created_at, total, state FROM orders';
const AUTOCOMMIT = 2;

export function mysqlTraffic({ cases }: Parser): ParserTraffic {
  const login = cases.find(({ title }) => title === LOGIN);
  if (login === undefined) throw new Error(`mysql has no golden case "${LOGIN}"`);
  const point = query(`${SELECT} WHERE id = 4711`, resultSet(1));
  const page = query(`${SELECT} WHERE email = 'a.customer@example.com'`, resultSet(LIST_ROWS));
  const update = query("UPDATE orders SET state = 'paid' WHERE id = 4711", [okay()]);
  const failed = query('INSERT INTO orders (id) VALUES (4711)', [ERROR]);
  const begin = query('BEGIN', [okay()]);
  return { prologue: login.steps.slice(0, 3), lap: [begin, point, update, point, page, failed, point, point].flat() };
}

/** A row read and a row written, and each has a value that can be long. */
export function sizedMysql(value: string): Step[] {
  const read = query(`${SELECT} WHERE id = 4711`, resultSet(1, ORDER.with(-1, value)));
  return [...read, ...query(`UPDATE orders SET state = '${value}' WHERE id = 4711`, [okay()])];
}

/** How many queries were answered. Each has a command of its own, as in a connection; what it writes goes nowhere. */
export function mysql2({ lap }: ParserTraffic): Side {
  const { PacketParser, Query, ConnectionConfig } = mysql2Parts();
  const answers = lap.filter(({ direction }) => direction === FROM_SERVER).map(({ bytes }) => Buffer.from(bytes));
  const connection = {
    config: new ConnectionConfig({}),
    clientEncoding: 'utf8',
    serverEncoding: 'utf8',
    writePacket() {},
    _handshakePacket: { capabilityFlags: 0xffff },
    _resetSequenceId() {},
    protocolError: fail,
  };
  let answered = 0;
  let command: Command | undefined;
  const packets = new PacketParser((packet) => {
    if (command!.execute(packet, connection)) command = undefined;
  });
  return {
    run: async (laps) => {
      const before = answered;
      for (let n = 0; n < laps; n++) {
        for (const answer of answers) {
          command = new Query({ sql: 'SELECT 1' }, () => answered++);
          command.execute(undefined, connection);
          packets.execute(answer);
        }
        // Results are handed out in the next tick.
        await new Promise((resolve) => process.nextTick(resolve));
      }
      return answered - before;
    },
  };
}

interface Command {
  /** True when it has its answer. */
  execute(packet: unknown, connection: object): boolean;
}

interface Parts {
  readonly PacketParser: new (onPacket: (packet: unknown) => void) => { execute(chunk: Buffer): void };
  readonly Query: new (options: object, onResult: () => void) => Command;
  readonly ConnectionConfig: new (options: object) => object;
}

/** Files that the package does not export by name. */
function mysql2Parts(): Parts {
  const require = createRequire(import.meta.url);
  const folder = join(dirname(require.resolve('mysql2')), 'lib');
  return {
    PacketParser: require(join(folder, 'packet_parser.js')),
    Query: require(join(folder, 'commands', 'query.js')),
    ConnectionConfig: require(join(folder, 'connection_config.js')),
  };
}

function fail(reason: string): never {
  throw new Error(`mysql2: ${reason}`);
}

function query(sql: string, answers: readonly Buffer[]): Step[] {
  const packets = answers.map((payload, index) => packet(index + 1, payload));
  return [
    step(FROM_CLIENT, packet(0, Buffer.concat([Buffer.of(3), Buffer.from(sql)]))),
    step(FROM_SERVER, Buffer.concat(packets)),
  ];
}

// ── what a server says ──

const ERROR = Buffer.concat([
  Buffer.of(0xff, 0x26, 0x04),
  Buffer.from("#23000Duplicate entry '4711' for key 'PRIMARY'"),
]);
const END = Buffer.of(0xfe, 0, 0, AUTOCOMMIT, 0);

function okay(): Buffer {
  return Buffer.of(0, 1, 0, AUTOCOMMIT, 0, 0, 0);
}

/** Text rows, with the two EOF packets that mysql2 asks for. */
function resultSet(rows: number, values: readonly string[] = ORDER): Buffer[] {
  const row = Buffer.concat(values.map(counted));
  return [Buffer.of(COLUMNS.length), ...COLUMNS.map(column), END, ...Array.from({ length: rows }, () => row), END];
}

function column(name: string): Buffer {
  const names = ['def', 'shop', 'orders', 'orders', name, name].map(counted);
  return Buffer.concat([...names, Buffer.of(0x0c, UTF8, 0, 0, 3, 0, 0, VAR_STRING, 0, 0, 0, 0, 0)]);
}

/** Shorter than 65,536 bytes, all of them. */
function counted(text: string): Buffer {
  const length = text.length < 251 ? [text.length] : [0xfc, text.length & 0xff, text.length >> 8];
  return Buffer.concat([Buffer.from(length), Buffer.from(text)]);
}

function packet(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUIntLE(payload.length, 0, 3);
  header[3] = sequence;
  return Buffer.concat([header, payload]);
}
