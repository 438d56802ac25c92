/**
 * MySQL and MariaDB: the command and its statement; number and SQLSTATE of an error, rows that came, or rows affected.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html
 */
import { bytes, type Dissected, find, findAll, type PdmlField, text } from '../tshark.ts';
import type { Exchange, Oracle } from './exchange.ts';
import { statementText } from './sql-text.ts';

/** https://dev.mysql.com/doc/dev/mysql-server/latest/my__command_8h.html */
const COMMANDS: Readonly<Record<number, string>> = {
  1: 'QUIT',
  2: 'INIT_DB',
  3: 'QUERY',
  4: 'FIELD_LIST',
  9: 'STATISTICS',
  14: 'PING',
  17: 'CHANGE_USER',
  22: 'STMT_PREPARE',
  23: 'STMT_EXECUTE',
  24: 'STMT_SEND_LONG_DATA',
  25: 'STMT_CLOSE',
  26: 'STMT_RESET',
  27: 'SET_OPTION',
  28: 'STMT_FETCH',
  31: 'RESET_CONNECTION',
};
const NO_RESPONSE = new Set(['QUIT', 'STMT_SEND_LONG_DATA', 'STMT_CLOSE']);
/** Only of these the affected rows say something. */
const COUNTED = new Set(['QUERY', 'STMT_EXECUTE']);

export const MYSQL: Oracle = {
  protocols: ['mysql'],
  dissector: 'mysql',
  ports: [3306, 5432, 6033, 20130, 30130],
  optIn: [],
  isKeyed: false,
  dissected: readAll,
  reported: ({ attributes }) => {
    const command = String(attributes['mysql.command']);
    const statement = attributes['db.query.text'];
    const { 'db.response.status_code': code, 'mysql.response.sqlstate': state } = attributes;
    const error = code === undefined ? undefined : `${code} ${state ?? ''}`;
    const { 'db.response.returned_rows': rows, 'mysql.response.affected_rows': affected } = attributes;
    return {
      request: statement === undefined ? command : `${command} ${statement}`,
      response: outcome(command, { error, rows, affected }),
    };
  },
};

/** The client's turn, then the server's. */
interface Turn {
  readonly client: string;
  readonly command: string;
  readonly statement: Buffer | undefined;
  readonly answers: PdmlField[];
}

function readAll(packets: readonly Dissected[]): Exchange[] {
  const turns: Turn[] = [];
  const current = new Map<string, Turn>();
  const prepared = new Map<string, Buffer>();
  for (const packet of packets) {
    for (const proto of packet.protos) {
      const turn = current.get(packet.stream);
      if (!packet.isToServer) {
        turn?.answers.push(proto);
        if (turn) remember(prepared, packet.stream, turn, proto);
        continue;
      }
      const next = readRequest(proto, packet, prepared);
      if (!next) continue;
      turns.push(next);
      current.set(packet.stream, next);
    }
  }
  return turns.flatMap(readTurn);
}

/** A dialogue of authentication is no request. */
function readRequest(proto: PdmlField, packet: Dissected, prepared: ReadonlyMap<string, Buffer>): Turn | undefined {
  const begin = (command: string, statement?: Buffer): Turn => ({
    client: packet.from,
    command,
    statement,
    answers: [],
  });
  if (find(proto, 'mysql.login_request')) return begin('LOGIN');
  const number = find(proto, 'mysql.command');
  if (!number) return undefined;
  const command = COMMANDS[Number(number.show)] ?? `command ${number.show}`;
  if (command === 'STMT_EXECUTE') return begin(command, prepared.get(statementKey(packet.stream, proto)));
  const query = COUNTED.has(command) || command === 'STMT_PREPARE' ? find(proto, 'mysql.query') : undefined;
  return begin(command, query && bytes(query));
}

function remember(prepared: Map<string, Buffer>, stream: string, turn: Turn, proto: PdmlField): void {
  if (turn.command !== 'STMT_PREPARE' || !turn.statement || !find(proto, 'mysql.stmt_id')) return;
  prepared.set(statementKey(stream, proto), turn.statement);
}

function statementKey(stream: string, proto: PdmlField): string {
  return `${stream} ${find(proto, 'mysql.stmt_id')?.show}`;
}

function readTurn({ client, command, statement, answers }: Turn): Exchange[] {
  if (answers.length === 0 && !NO_RESPONSE.has(command)) return [];
  const number = answers.map((one) => find(one, 'mysql.error_code')).find(Boolean);
  const state = answers.map((one) => find(one, 'mysql.sqlstate')).find(Boolean);
  const isResult = answers.some((one) => find(one, 'mysql.num_fields'));
  const rows = answers.filter((one) => find(one, 'mysql.row.text') ?? find(one, 'mysql.row.nullbuffer')).length;
  const affected = answers.flatMap((one) => findAll(one, 'mysql.affected_rows'));
  const sum = affected.reduce((total, { show }) => total + Number(show), 0);
  const response = outcome(command, {
    error: number && `${number.show} ${text(state)}`,
    rows: isResult ? rows : undefined,
    affected: sum,
  });
  const request = statement === undefined ? command : `${command} ${statementText(statement, 'mysql')}`;
  return [{ client, request, response }];
}

interface Outcome {
  readonly error: string | undefined;
  readonly rows: unknown;
  readonly affected: unknown;
}

function outcome(command: string, { error, rows, affected }: Outcome): string {
  if (NO_RESPONSE.has(command)) return 'none';
  if (error !== undefined) return `error ${error}`;
  if (!COUNTED.has(command)) return 'ok';
  return rows === undefined ? `affected ${affected}` : `rows ${rows}`;
}
