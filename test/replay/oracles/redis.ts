/** RESP: the command in capitals, and the type of the reply; of an error its first word. */
import { type Dissected, find, type PdmlField, text } from '../tshark.ts';
import { type Meaning, type Oracle, pair } from './exchange.ts';

/** What a reply is; reported only when asked for. */
const REPLY_TYPE = 'redis.reply.type';
/** Commands whose second word says what they do. https://redis.io/docs/latest/commands/ */
const CONTAINERS = new Set([
  ...['ACL', 'CLIENT', 'CLUSTER', 'COMMAND', 'CONFIG', 'FUNCTION', 'LATENCY', 'MEMORY', 'MODULE', 'OBJECT'],
  ...['PUBSUB', 'SCRIPT', 'SLOWLOG', 'XGROUP', 'XINFO'],
]);
/** What tshark calls the types of RESP2. */
const REPLY_TYPES: Readonly<Record<string, string>> = {
  'resp.string': 'simple_string',
  'resp.error': 'error',
  'resp.integer': 'integer',
  'resp.bulk_string': 'bulk_string',
  'resp.array': 'array',
};

export const REDIS: Oracle = {
  protocols: ['redis'],
  dissector: 'resp',
  ports: [6379, 10625],
  optIn: [REPLY_TYPE],
  isKeyed: false,
  dissected: (packets) => pair(packets, ({ fields }, packet) => fields.map((value) => readValue(value, packet))),
  // A request that gets no reply by design has none.
  reported: ({ attributes }) => {
    const type = String(attributes[REPLY_TYPE] ?? 'none');
    return {
      request: String(attributes['db.operation.name']).toUpperCase(),
      response: type === 'error' ? `error ${attributes['db.response.status_code']}` : type,
    };
  },
};

function readValue(value: PdmlField, packet: Dissected): Meaning {
  if (!packet.isToServer) return { response: replyOf(value) };
  const [command = '', second = ''] = wordsOf(value, packet);
  if (command === '') return {};
  return { request: CONTAINERS.has(command) ? `${command} ${second}` : command };
}

/** A length of -1 is null. tshark 4.0 knows no RESP3: what that is, is left as "fragment". */
function replyOf(value: PdmlField): string {
  const length = find(value, `${value.name}.length`);
  if (length?.show === '-1') return 'null';
  const type = REPLY_TYPES[value.name] ?? value.name.replace('resp.', '');
  return type === 'error' ? `error ${text(value).replace(/^-/, '').split(/\s/, 1)[0]}` : type;
}

/** The first words of a command, in capitals. */
function wordsOf(value: PdmlField, packet: Dissected): string[] {
  const words = value.name === 'resp.fragment' ? inlineWords(value, packet) : value.fields.slice(1, 3).map(bulkText);
  return words.map((word) => word.toUpperCase());
}

function bulkText(field: PdmlField): string {
  return text(find(field, 'resp.bulk_string.value'));
}

/** tshark gives an inline command's place but not its bytes: they are in the packet's payload. */
function inlineWords(fragment: PdmlField, { payload }: Dissected): string[] {
  if (!payload) return [];
  const start = fragment.position - payload.position;
  const line = Buffer.from(payload.value, 'hex').subarray(start, start + fragment.size);
  return line.toString('latin1').trim().split(/\s+/);
}
