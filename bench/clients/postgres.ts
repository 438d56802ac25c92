/** Statements as `pg` sends them, a server's answers to them, and pg-protocol's reader of those answers. */
import { EventEmitter } from 'node:events';
import { parse, serialize } from 'pg-protocol';
import type { Step } from '../../host/modules/trial/steps.ts';
import { FROM_CLIENT, FROM_SERVER } from '../../parsers/sdk/abi.ts';
import { type ParserTraffic, step } from '../parser-traffic.ts';
import type { Side } from '../parsers.ts';

const TEXT = 25;
const LIST_ROWS = 20;
const ORDER = ['4711', 'a.customer@example.com', '2024-11-05 10:00:00+00', '149.90', 'shipped'];
const COLUMNS = ['id', 'email', 'created_at', 'total', 'state'];
const SELECT = 'SELECT id, email, created_at, total, state FROM orders';

export function postgresTraffic(): ParserTraffic {
  const login = Buffer.concat([message('R', int32(0)), message('S', text('server_version', '15.6')), ready()]);
  const prologue = [step(FROM_CLIENT, serialize.startup({ user: 'shop', database: 'shop' })), step(FROM_SERVER, login)];
  const point = prepared(`${SELECT} WHERE id = $1`, ['4711'], [described(), row(), complete('SELECT 1')]);
  const list = Array.from({ length: LIST_ROWS }, () => row());
  const page = prepared(`${SELECT} WHERE email = $1`, [ORDER[1]!], [described(), ...list, complete('SELECT 20')]);
  const update = prepared(
    'UPDATE orders SET state = $1 WHERE id = $2',
    ['paid', '4711'],
    [NO_DATA, complete('UPDATE 1')],
  );
  const simple = exchange(serialize.query('BEGIN'), [complete('BEGIN'), ready()]);
  const failed = prepared('INSERT INTO orders (id) VALUES ($1)', ['4711'], [NO_DATA, ERROR]);
  return { prologue, lap: [...simple, ...point, ...update, ...point, ...page, ...failed, ...point, ...point] };
}

/** A row read and a row written, and each has a value that can be long. */
export function sizedPostgres(value: string): Step[] {
  const read = prepared(
    `${SELECT} WHERE id = $1`,
    ['4711'],
    [described(), row(ORDER.with(-1, value)), complete('SELECT 1')],
  );
  const written = prepared(
    'UPDATE orders SET state = $1 WHERE id = $2',
    [value, '4711'],
    [NO_DATA, complete('UPDATE 1')],
  );
  return [...read, ...written];
}

/** How many statements were answered. pg-protocol takes a stream, and its `data` is all that it needs. */
export function pgProtocol({ lap }: ParserTraffic): Side {
  const answers = lap.filter(({ direction }) => direction === FROM_SERVER).map(({ bytes }) => Buffer.from(bytes));
  const stream = new EventEmitter();
  let statements = 0;
  void parse(stream as unknown as NodeJS.ReadableStream, ({ name }) => {
    if (name === 'readyForQuery') statements++;
  });
  return {
    run: (laps) => {
      const before = statements;
      for (let n = 0; n < laps; n++) for (const answer of answers) stream.emit('data', answer);
      return statements - before;
    },
  };
}

function prepared(sql: string, values: string[], answers: readonly Buffer[]): Step[] {
  const asked = [
    serialize.parse({ text: sql }),
    serialize.bind({ values }),
    serialize.describe({ type: 'P' }),
    serialize.execute(),
    serialize.sync(),
  ];
  return exchange(Buffer.concat(asked), [message('1'), message('2'), ...answers, ready()]);
}

function exchange(asked: Buffer, answers: readonly Buffer[]): Step[] {
  return [step(FROM_CLIENT, asked), step(FROM_SERVER, Buffer.concat(answers))];
}

// ── what a server says ──

const NO_DATA = message('n');
const ERROR = message(
  'E',
  text('SERROR', 'VERROR', 'C23505', 'Mduplicate key value violates unique constraint "orders_pkey"'),
  text('DKey (id)=(4711) already exists.', 'sorders', 'norders_pkey', 'Fnbtinsert.c', 'L664', 'R_bt_check_unique', ''),
);

function ready(): Buffer {
  return message('Z', Buffer.from('I'));
}

function complete(tag: string): Buffer {
  return message('C', text(tag));
}

function described(): Buffer {
  const columns = COLUMNS.map((name, index) =>
    Buffer.concat([text(name), int32(16400), int16(index + 1), int32(TEXT), int16(-1), int32(-1), int16(0)]),
  );
  return message('T', int16(columns.length), ...columns);
}

function row(values: readonly string[] = ORDER): Buffer {
  const cells = values.flatMap((value) => [int32(value.length), Buffer.from(value)]);
  return message('D', int16(values.length), ...cells);
}

function message(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function text(...strings: string[]): Buffer {
  return Buffer.from(strings.map((one) => `${one}\0`).join(''));
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
