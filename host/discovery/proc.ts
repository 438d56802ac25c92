/**
 * What /proc tells about the processes that were there before the agent: parents, executables, listening sockets.
 * A process that disappears while it is read is left out.
 * https://www.kernel.org/doc/html/latest/filesystems/proc.html
 */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { type Executable, executableOf } from './processes.ts';

export interface RunningProcess {
  readonly tgid: number;
  readonly parent: number;
  readonly executable: Executable;
}

/** In /proc/PID/net/tcp: the state of a listening socket, and the first word of the table. */
const TCP_LISTEN = '0A';
const TABLE_HEAD = 'sl';
const PIECE_BYTES = 8192;

export function listProcesses(): RunningProcess[] {
  const all: RunningProcess[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const tgid = Number(name);
    const parent = parentOf(tgid);
    const executable = executableOf(tgid);
    if (parent !== undefined && executable !== undefined) all.push({ tgid, parent, executable });
  }
  return all;
}

/** Ports each process listens on, over TCP and IPv4 or IPv6, in its own network namespace. */
export function listeningPorts(tgid: number): number[] {
  const inodes = socketInodes(tgid);
  if (inodes.size === 0) return [];
  return readListeners(tgid)
    .filter(({ inode }) => inodes.has(inode))
    .map(({ port }) => port);
}

/** Ports that anyone listens on in the network namespace of a process. */
export function portsListenedOn(tgid: number): ReadonlySet<number> {
  return new Set(readListeners(tgid).map(({ port }) => port));
}

interface Listener {
  readonly port: number;
  readonly inode: string;
}

/** The listening sockets of a network namespace, TCP over IPv4 and IPv6. */
function readListeners(tgid: number): Listener[] {
  return ['tcp', 'tcp6']
    .flatMap((table) => listenerLines(`/proc/${tgid}/net/${table}`))
    .map(([, local = '', , , , , , , , inode = '']) => ({
      port: Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16),
      inode,
    }));
}

/**
 * Fields of the lines that are listening sockets. They come first in the table, and only they are read: behind them may
 * stand any number of connections. https://docs.kernel.org/networking/proc_net_tcp.html
 */
function listenerLines(path: string): string[][] {
  const found: string[][] = [];
  for (const line of linesOf(path)) {
    const fields = line.trim().split(/\s+/);
    if (fields[3] === TCP_LISTEN) found.push(fields);
    else if (fields[0] !== TABLE_HEAD) break;
  }
  return found;
}

/** Field 4 of /proc/PID/stat; the name in field 2 may hold spaces and parentheses. */
function parentOf(tgid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${tgid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function socketInodes(tgid: number): Set<string> {
  const inodes = new Set<string>();
  try {
    for (const fd of readdirSync(`/proc/${tgid}/fd`)) {
      const inode = socketInode(`/proc/${tgid}/fd/${fd}`);
      if (inode !== undefined) inodes.add(inode);
    }
  } catch {
    // Gone, or not ours to look into.
  }
  return inodes;
}

function socketInode(path: string): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(path))?.[1];
  } catch {
    return undefined;
  }
}

/** Lines of a file as they are read, piece by piece; none of a file that cannot be read. */
function* linesOf(path: string): Generator<string> {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    let rest = '';
    for (let length = readSync(file, piece); length > 0; length = readSync(file, piece)) {
      const lines = (rest + piece.toString('latin1', 0, length)).split('\n');
      rest = lines.pop()!;
      yield* lines;
    }
  } catch {
    // Gone, or not ours to look into.
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
