/**
 * tshark as an oracle: what others make of a capture. Debian 12's tshark 4.0, two passes, its own reassembly.
 * https://www.wireshark.org/docs/man-pages/tshark.html
 */
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { sayUnavailable } from '../support/unavailable.ts';
import { type PdmlField, type PdmlPacket, parsePdml } from './pdml.ts';

/** Commands whose second word says what they do. https://redis.io/docs/latest/commands/ */
const CONTAINERS = new Set([
  ...['ACL', 'CLIENT', 'CLUSTER', 'COMMAND', 'CONFIG', 'FUNCTION', 'LATENCY', 'MEMORY', 'MODULE', 'OBJECT'],
  ...['PUBSUB', 'SCRIPT', 'SLOWLOG', 'XGROUP', 'XINFO'],
]);
const OUTPUT_MAX = 512 * 1024 * 1024;
const run = promisify(execFile);

/** Says on stderr why tests that need it are skipped. */
export const hasTshark = probe();

function probe(): boolean {
  try {
    execFileSync('tshark', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    sayUnavailable('agreement with tshark', 'tshark is not installed (apt-get install tshark)');
    return false;
  }
}

async function tshark(path: string, ...options: string[]): Promise<string> {
  const { stdout } = await run('tshark', ['-n', '-r', path, '-2', ...options], { maxBuffer: OUTPUT_MAX });
  return stdout;
}

/** One TCP stream; side 0 is the sender of its first packet. */
export interface FollowedStream {
  /** "address:port" of both sides. */
  readonly nodes: readonly [string, string];
  readonly bytes: readonly [Buffer, Buffer];
}

/** Every TCP stream, put in order by `follow,tcp,raw`. */
export async function followStreams(path: string): Promise<FollowedStream[]> {
  const numbers = await tshark(path, '-Y', 'tcp', '-T', 'fields', '-e', 'tcp.stream');
  const count = Math.max(-1, ...numbers.split('\n').filter(Boolean).map(Number)) + 1;
  const taps = Array.from({ length: count }, (_, stream) => ['-z', `follow,tcp,raw,${stream}`]);
  if (count === 0) return [];
  const streams = readFollowed(await tshark(path, '-q', ...taps.flat()));
  // tshark prints the taps in an order of its own making.
  return streams.sort((a, b) => a.number - b.number);
}

function readFollowed(output: string): (FollowedStream & { number: number })[] {
  const sections = output.split(/^=+$/m).filter((section) => section.includes('Filter: tcp.stream eq'));
  return sections.map((section) => {
    const lines = section.split('\n');
    const node = (index: number) => lines.find((line) => line.startsWith(`Node ${index}: `))!.slice('Node 0: '.length);
    const hex = lines.filter((line) => /^\t?[0-9a-f]+$/.test(line));
    const side = (isSecond: boolean) =>
      hex.filter((line) => line.startsWith('\t') === isSecond).map((line) => line.trim());
    const bytes = (isSecond: boolean) => Buffer.from(side(isSecond).join(''), 'hex');
    const number = Number(/tcp\.stream eq (\d+)/.exec(section)![1]);
    return { number, nodes: [node(0), node(1)] as const, bytes: [bytes(false), bytes(true)] as const };
  });
}

/** What a request was and what came back. */
export interface Exchange {
  /** "address:port" of the client. */
  readonly client: string;
  readonly request: string;
  readonly response: string;
}

/** HTTP: "GET /path?query" and "200", for every request that got a response, in the order of its stream. */
export async function httpExchanges(path: string, ports: readonly number[]): Promise<Exchange[]> {
  const packets = await dissect(path, ports, 'http');
  return pair(packets, (proto) => {
    const method = find(proto, 'http.request.method');
    if (method) return { request: `${text(method)} ${text(find(proto, 'http.request.uri'))}` };
    const status = find(proto, 'http.response.code')?.show;
    // 1xx announces the response, it is not the response (RFC 9110, section 15.2). 101 is: the last one of HTTP/1.
    return status && (status[0] !== '1' || status === '101') ? { response: status } : {};
  });
}

/** RESP: the command in capitals, and the type of the reply. */
export async function respExchanges(path: string, ports: readonly number[]): Promise<Exchange[]> {
  const packets = await dissect(path, ports, 'resp');
  return pair(
    packets.map((packet) => ({ ...packet, protos: packet.protos.flatMap(({ fields }) => fields.map(wrap)) })),
    ({ fields: [value] }, packet) => {
      if (!value) return {};
      if (!ports.includes(packet.toPort)) return { response: replyType(value) };
      const [command = '', second = ''] = wordsOf(value, packet);
      if (command === '') return {};
      return { request: CONTAINERS.has(command) ? `${command} ${second}` : command };
    },
  );
}

interface Dissected {
  readonly toPort: number;
  readonly from: string;
  readonly to: string;
  readonly stream: string;
  readonly payload: PdmlField | undefined;
  readonly protos: readonly PdmlField[];
}

async function dissect(path: string, ports: readonly number[], protocol: string): Promise<Dissected[]> {
  const decodeAs = ports.flatMap((port) => ['-d', `tcp.port==${port},${protocol}`]);
  const kept = ['-T', 'pdml', '-J', `ip ipv6 tcp ${protocol}`];
  const packets = parsePdml(await tshark(path, ...decodeAs, '-Y', protocol, ...kept));
  return packets.map((packet) => describePacket(packet, protocol));
}

function describePacket({ protos }: PdmlPacket, protocol: string): Dissected {
  const value = (name: string) => protos.map((proto) => find(proto, name)).find(Boolean);
  const endpoint = (side: string) => {
    const address = (value(`ip.${side}`) ?? value(`ipv6.${side}`))?.show ?? '';
    const port = value(`tcp.${side}port`)?.show ?? '';
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  };
  return {
    from: endpoint('src'),
    to: endpoint('dst'),
    toPort: Number(value('tcp.dstport')?.show),
    stream: value('tcp.stream')?.show ?? '',
    payload: value('tcp.payload'),
    protos: protos.filter(({ name }) => name === protocol),
  };
}

type Meaning = { request?: string; response?: string };

/** First in, first out on each stream. */
function pair(packets: readonly Dissected[], read: (proto: PdmlField, packet: Dissected) => Meaning): Exchange[] {
  const exchanges: { client: string; stream: string; request: string; response?: string }[] = [];
  for (const packet of packets) {
    for (const proto of packet.protos) {
      const { request, response } = read(proto, packet);
      if (request !== undefined) exchanges.push({ client: packet.from, stream: packet.stream, request });
      const open = exchanges.find((one) => one.stream === packet.stream && one.response === undefined);
      if (response !== undefined && open) open.response = response;
    }
  }
  return exchanges.flatMap(({ client, request, response }) =>
    response === undefined ? [] : [{ client, request, response }],
  );
}

function wrap(field: PdmlField): PdmlField {
  return { name: 'value', show: '', value: '', position: field.position, size: field.size, fields: [field] };
}

/** What tshark calls the types of RESP2. */
const REPLY_TYPES: Readonly<Record<string, string>> = {
  'resp.string': 'simple_string',
  'resp.error': 'error',
  'resp.integer': 'integer',
  'resp.bulk_string': 'bulk_string',
  'resp.array': 'array',
};

/** A length of -1 is null. tshark 4.0 knows no RESP3: what that is, is left as "fragment". */
function replyType(value: PdmlField): string {
  const length = find(value, `${value.name}.length`);
  if (length?.show === '-1') return 'null';
  return REPLY_TYPES[value.name] ?? value.name.replace('resp.', '');
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

function find(field: PdmlField, name: string): PdmlField | undefined {
  if (field.name === name) return field;
  for (const child of field.fields) {
    const found = find(child, name);
    if (found) return found;
  }
  return undefined;
}

/** The field's bytes: `show` is cut and escaped for people. */
function text(field: PdmlField | undefined): string {
  return field ? Buffer.from(field.value, 'hex').toString('latin1') : '';
}
