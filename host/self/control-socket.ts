/**
 * How other processes of this machine ask a running agent: HTTP over a unix socket, one per agent, named by its pid, in a
 * folder only its user may enter. Answers are JSON; nothing can be changed over it.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Log } from './log.ts';

const SUFFIX = '.sock';
const ANSWER_MS = 5_000;

/** By path, such as '/modules'. */
export type Answers = Readonly<Record<string, () => Promise<unknown>>>;

export interface ControlSocket {
  readonly path: string;
  close(): void;
}

/** Where the sockets lie: SPANWIRE_RUN_DIR, /run/spanwire for root, a folder of the user's own for others. */
export function socketFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const { SPANWIRE_RUN_DIR, XDG_RUNTIME_DIR } = environment;
  if (SPANWIRE_RUN_DIR) return SPANWIRE_RUN_DIR;
  if (process.geteuid?.() === 0) return '/run/spanwire';
  return XDG_RUNTIME_DIR ? join(XDG_RUNTIME_DIR, 'spanwire') : join(tmpdir(), `spanwire-${userInfo().uid}`);
}

/** An agent that cannot be asked does its work all the same: says why, and returns undefined. */
export async function openControlSocket(answers: Answers, log: Log): Promise<ControlSocket | undefined> {
  const folder = socketFolder();
  const path = join(folder, `${process.pid}${SUFFIX}`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    removeStale(folder);
    rmSync(path, { force: true });
    const server = serve(answers);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(path, resolve);
    });
    server.on('error', (error) => log.warn({ error: error.message }, 'control socket'));
    return { path, close: () => close(server, path) };
  } catch (error) {
    const remedy = 'set SPANWIRE_RUN_DIR to a folder it may write';
    log.warn({ path, error: (error as Error).message, remedy }, '`spanwire module ls` cannot ask this agent');
    return undefined;
  }
}

/** Pids of the agents that can be asked. */
export function findAgents(): number[] {
  const folder = socketFolder();
  if (!existsSync(folder)) return [];
  removeStale(folder);
  return pidsIn(folder);
}

/** Asks an agent; rejects when it does not answer. */
export function askAgent(pid: number, path: string): Promise<unknown> {
  const socketPath = join(socketFolder(), `${pid}${SUFFIX}`);
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, timeout: ANSWER_MS }, async (response) => {
      const text = Buffer.concat(await response.toArray()).toString();
      if (response.statusCode === 200) resolve(JSON.parse(text));
      else reject(new Error(`agent ${pid} answered ${response.statusCode}: ${text}`));
    });
    asked.on('timeout', () => asked.destroy(new Error(`agent ${pid} did not answer within ${ANSWER_MS} ms`)));
    asked.on('error', reject).end();
  });
}

function serve(answers: Answers): Server {
  return createServer(async ({ url = '' }, response) => {
    const answer = answers[url];
    try {
      if (answer === undefined) response.writeHead(404).end(`no such path: ${url}`);
      else response.setHeader('content-type', 'application/json').end(JSON.stringify(await answer()));
    } catch (error) {
      response.writeHead(500).end((error as Error).message);
    }
  });
}

function close(server: Server, path: string): void {
  server.close();
  server.closeAllConnections();
  rmSync(path, { force: true });
}

function pidsIn(folder: string): number[] {
  return readdirSync(folder)
    .filter((name) => /^\d+\.sock$/.test(name))
    .map((name) => Number.parseInt(name, 10))
    .sort((a, b) => a - b);
}

/** Sockets of agents that were killed. */
function removeStale(folder: string): void {
  for (const pid of pidsIn(folder)) {
    if (!existsSync(`/proc/${pid}`)) rmSync(join(folder, `${pid}${SUFFIX}`), { force: true });
  }
}
