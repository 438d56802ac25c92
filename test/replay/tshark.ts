/**
 * tshark as an oracle: what others make of a capture. Debian 12's tshark 4.0, two passes, its own reassembly.
 * https://www.wireshark.org/docs/man-pages/tshark.html
 */
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { sayUnavailable } from '../support/unavailable.ts';
import { type PdmlField, type PdmlPacket, parsePdml } from './pdml.ts';

export type { PdmlField };

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

/** A packet with messages of the protocol in question. */
export interface Dissected {
  readonly isToServer: boolean;
  readonly from: string;
  readonly to: string;
  readonly stream: string;
  readonly payload: PdmlField | undefined;
  readonly protos: readonly PdmlField[];
}

/** What the packets of these ports say, in the order of the capture. */
export async function dissect(path: string, ports: readonly number[], protocol: string): Promise<Dissected[]> {
  const decodeAs = ports.flatMap((port) => ['-d', `tcp.port==${port},${protocol}`]);
  const kept = ['-T', 'pdml', '-J', `ip ipv6 tcp ${protocol}`];
  const packets = parsePdml(await tshark(path, ...decodeAs, '-Y', protocol, ...kept));
  return packets.map((packet) => describePacket(packet, ports, protocol));
}

function describePacket({ protos }: PdmlPacket, ports: readonly number[], protocol: string): Dissected {
  const value = (name: string) => protos.map((proto) => find(proto, name)).find(Boolean);
  const endpoint = (side: string) => {
    const address = (value(`ip.${side}`) ?? value(`ipv6.${side}`))?.show ?? '';
    const port = value(`tcp.${side}port`)?.show ?? '';
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  };
  return {
    from: endpoint('src'),
    to: endpoint('dst'),
    isToServer: ports.includes(Number(value('tcp.dstport')?.show)),
    stream: value('tcp.stream')?.show ?? '',
    payload: value('tcp.payload'),
    protos: protos.filter(({ name }) => name === protocol),
  };
}

export function find(field: PdmlField, name: string): PdmlField | undefined {
  if (field.name === name) return field;
  for (const child of field.fields) {
    const found = find(child, name);
    if (found) return found;
  }
  return undefined;
}

/** All of that name, outermost first; not those inside one that was found. */
export function findAll(field: PdmlField, name: string): PdmlField[] {
  return field.name === name ? [field] : field.fields.flatMap((child) => findAll(child, name));
}

/** The field's bytes: `show` is cut and escaped for people. */
export function bytes(field: PdmlField | undefined): Buffer {
  return Buffer.from(field?.value ?? '', 'hex');
}

export function text(field: PdmlField | undefined): string {
  return bytes(field).toString('latin1');
}
