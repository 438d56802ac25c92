/**
 * PostgreSQL: the statement of each Query and Execute; SQLSTATE of an error, else the command of its first tag, rows
 * that came, rows that were affected. An Execute has the text of its Parse.
 * https://www.postgresql.org/docs/current/protocol-flow.html
 */
import { bytes, type Dissected, find, type PdmlField, text } from '../tshark.ts';
import { type Exchange, type Meaning, type Oracle, pair } from './exchange.ts';
import { statementText } from './sql-text.ts';

/** Two words for one command; the tag has the second. */
const SYNONYMS: Readonly<Record<string, string>> = { END: 'COMMIT', ABORT: 'ROLLBACK', START: 'BEGIN' };

/** `step`: Parse, Bind, Describe, Close, Sync; only counted, to tell whose answer comes. */
interface Asked {
  readonly kind: 'startup' | 'query' | 'execute' | 'step';
  readonly type: string;
  tag?: string;
  error?: string;
  rows?: number;
  affected?: number;
}

class Session {
  readonly statements = new Map<string, Buffer>();
  readonly portals = new Map<string, Buffer>();
  readonly asked: Asked[] = [];
}

export const POSTGRES: Oracle = {
  protocols: ['postgres'],
  dissector: 'pgsql',
  ports: [5432, 15432],
  optIn: ['postgresql.affected_rows'],
  isKeyed: false,
  dissected: readAll,
  reported: ({ attributes }) => {
    const { 'db.operation.name': operation, 'db.query.text': statement, 'error.type': error } = attributes;
    const { 'db.response.returned_rows': rows, 'postgresql.affected_rows': affected } = attributes;
    const tag = String(operation ?? '');
    return {
      request: String(statement ?? operation ?? 'start-up'),
      response:
        error === undefined ? outcome({ tag, rows: asNumber(rows), affected: asNumber(affected) }) : `error ${error}`,
    };
  },
};

function asNumber(value: unknown): number | undefined {
  return value === undefined ? undefined : Number(value);
}

function outcome({ tag, rows, affected }: { tag: string; rows?: number | undefined; affected?: number | undefined }) {
  const counts = [rows === undefined ? '' : ` rows ${rows}`, affected === undefined ? '' : ` affected ${affected}`];
  const word = tag.split(' ', 1)[0]!;
  return `${SYNONYMS[word] ?? word}${counts.join('')}`;
}

function readAll(packets: readonly Dissected[]): Exchange[] {
  const sessions = new Map<string, Session>();
  return pair(packets, (proto, { stream, to }) => {
    const session = sessions.get(stream) ?? new Session();
    sessions.set(stream, session);
    const type = text(find(proto, 'pgsql.type'));
    return find(proto, 'pgsql.frontend')?.show === '1'
      ? ask(session, type, proto)
      : answer(session, type, proto).map((one) => ({ ...one, ...(one.request ? { client: to } : {}) }));
  });
}

function ask({ statements, portals, asked }: Session, type: string, proto: PdmlField): readonly Meaning[] {
  const name = (field: string) => text(find(proto, field));
  switch (type) {
    case 'Q':
      asked.push({ kind: 'query', type });
      return [{ request: shown(withoutEnd(find(proto, 'pgsql.query'))) }];
    case 'P':
      statements.set(name('pgsql.statement'), withoutEnd(find(proto, 'pgsql.query')));
      break;
    case 'B':
      portals.set(name('pgsql.portal'), statements.get(name('pgsql.statement')) ?? Buffer.alloc(0));
      break;
    case 'E':
      asked.push({ kind: 'execute', type });
      return [{ request: shown(portals.get(name('pgsql.portal')) ?? Buffer.alloc(0)) }];
    case 'D':
    case 'C':
    case 'S':
      break;
    default:
      if (find(proto, 'pgsql.version_major')?.show !== '3') return [];
      asked.push({ kind: 'startup', type });
      return [];
  }
  asked.push({ kind: 'step', type });
  return [];
}

function answer(session: Session, type: string, proto: PdmlField): readonly Meaning[] {
  const first = session.asked[0];
  if (!first) return [];
  switch (type) {
    case 'T':
      if (first.type === 'D') session.asked.shift();
      else first.rows ??= 0;
      return [];
    case 'D':
      first.rows = (first.rows ?? 0) + 1;
      return [];
    case 'C':
      readTag(first, text(find(proto, 'pgsql.tag')).replace(/\0$/, ''));
      return first.kind === 'execute' ? finish(session) : [];
    case 'I':
    case 's':
      return first.kind === 'execute' ? finish(session) : [];
    case 'E':
      return fail(session, first, text(find(proto, 'pgsql.code')).slice(1, 6));
    case 'Z':
      return ready(session);
    case '1':
    case '2':
    case '3':
    case 'n':
      session.asked.shift();
      return [];
    default:
      return [];
  }
}

/** Rows of SELECT and FETCH are those that came, if any did: CREATE TABLE AS says SELECT, too. Others are affected. */
function readTag(asked: Asked, tag: string): void {
  asked.tag ??= tag;
  const count = / (\d+)$/.exec(tag)?.[1];
  if (count === undefined) return;
  const isReturned = /^(SELECT|FETCH) /.test(tag) && (Number(count) === 0 || asked.rows !== undefined);
  if (isReturned) asked.rows ??= 0;
  else asked.affected = (asked.affected ?? 0) + Number(count);
}

function fail({ asked }: Session, first: Asked, error: string): readonly Meaning[] {
  if (first.kind === 'query') first.error = error;
  else asked.shift();
  if (first.kind === 'startup') return [{ request: 'start-up' }, { response: `error ${error}` }];
  if (first.kind === 'execute') return [{ response: `error ${error}` }];
  return [];
}

/** The end of a Query, or of all up to the Sync; what is left of those was passed over after an error. */
function ready(session: Session): readonly Meaning[] {
  const end = session.asked.findIndex(({ kind, type }) => kind === 'query' || kind === 'startup' || type === 'S');
  const ended = session.asked.splice(0, end + 1);
  return ended.flatMap((one) => {
    if (one.kind === 'execute') return [{ response: 'error pipeline_aborted' }];
    return one.kind === 'query' ? [{ response: responseOf(one) }] : [];
  });
}

function finish({ asked }: Session): readonly Meaning[] {
  const one = asked.shift();
  return one ? [{ response: responseOf(one) }] : [];
}

function responseOf({ error, tag = '', rows, affected }: Asked): string {
  return error === undefined ? outcome({ tag, rows, affected }) : `error ${error}`;
}

/** Without the zero byte that ends a string. */
function withoutEnd(field: PdmlField | undefined): Buffer {
  const value = bytes(field);
  return value.at(-1) === 0 ? value.subarray(0, -1) : value;
}

function shown(statement: Buffer): string {
  return statementText(statement, 'sql');
}
