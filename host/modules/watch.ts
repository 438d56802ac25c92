/**
 * Watches folders for module files and their signatures: `NAME.wasm` and `NAME.wasm.minisig`.
 *
 * By looking, not by inotify: that is blind on overlays, network file systems and the other side of a bind mount. Every
 * look lists the folders and takes the identity of each file through links, so atomic renames and the `..data` swap of a
 * Kubernetes volume need no special care. https://kubernetes.io/docs/concepts/storage/volumes/#configmap
 *
 * The rule: what was the same in two looks is settled, and only what is settled is read. So a file that is still being
 * copied, or replaced together with its signature, is not seen half. Removed is what three looks did not find.
 */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../self/log.ts';
import { SIGNATURE_EXTENSION, SIGNATURE_FILE_MAX_BYTES } from './minisign.ts';

export const MODULE_EXTENSION = '.wasm';
/** Largest module: docs/abi.md. */
export const MODULE_MAX_BYTES = 1024 * 1024;
export const FILES_MAX = 256;
/** Names of any kind: a folder with more is something else, and listing it would not be cheap. */
const ENTRIES_MAX = 4096;
const INTERVAL_MS = 200;
/** Looks that must miss a file: one more than show a new one, as a listing during a rename may have neither name. */
const MISSES = 3;
/** Handed on at once at most: a full set of files need not be in memory together. */
const BATCH_BYTES = 16 * 1024 * 1024;

/** What became of a file. `folder` is the position in the list of folders. */
export type FileChange = { readonly path: string; readonly folder: number } & (
  | { readonly kind: 'added' | 'changed'; readonly bytes: Uint8Array<ArrayBuffer>; readonly signature?: Uint8Array }
  | { readonly kind: 'unreadable'; readonly reason: string }
  | { readonly kind: 'removed' }
);

export interface WatchOptions {
  readonly folders: readonly string[];
  /** Awaited before the next look. */
  readonly onChanges: (changes: readonly FileChange[]) => Promise<void> | void;
  readonly log: Log;
  readonly intervalMs?: number;
}

interface Tracked {
  readonly folder: number;
  /** Of the last look; undefined when the file was not there. */
  identity: string | undefined;
  /** Looks in a row that did not find it. */
  misses: number;
  /** Of the bytes that were handed on last. */
  taken: string | undefined;
  /** What was said about bytes that could not be read, so that it is said once. */
  complaint: string | undefined;
}

interface Sighting {
  readonly folder: number;
  readonly identity: string;
}

/** A file or folder that is not taken, in words for the user. */
class UnreadableError extends Error {}

/** Looks until it is closed. `close` resolves when no look is under way any more. */
export function watchFolders(options: WatchOptions): { close(): Promise<void> } {
  const watcher = new FolderWatcher(options);
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void>;
  const next = (): void => {
    looking = watcher.look().then(() => {
      if (!closed) timer = setTimeout(next, options.intervalMs ?? INTERVAL_MS).unref();
    });
  };
  next();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      return looking;
    },
  };
}

/** One look after the other; watchFolders makes them at intervals. */
export class FolderWatcher {
  readonly #options: WatchOptions;
  readonly #tracked = new Map<string, Tracked>();
  /** The last complaint about each folder, so that it is made once. */
  readonly #complaints = new Map<string, string>();

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async look(): Promise<void> {
    try {
      await this.#compare(await this.#listAll());
    } catch (error) {
      this.#options.log.error({ error: (error as Error).message }, 'a look at the module folders failed');
    }
  }

  async #listAll(): Promise<Map<string, Sighting>> {
    const all = new Map<string, Sighting>();
    let left = 0;
    for (const [folder, path] of this.#options.folders.entries()) {
      for (const [file, identity] of await this.#list(folder, path)) {
        if (all.size < FILES_MAX || all.has(file)) all.set(file, { folder, identity });
        else left++;
      }
    }
    this.#complain('all', left > 0 ? `more than ${FILES_MAX} modules: ${left} are left out` : undefined);
    return all;
  }

  /** Modules of a folder with their identities, by name. When it cannot be listed, what was there stays. */
  async #list(folder: number, path: string): Promise<Map<string, string>> {
    try {
      const names = await listModules(path);
      const identities = await Promise.all(names.map((name) => pairIdentity(join(path, name))));
      this.#complain(path, undefined);
      return new Map(names.map((name, at) => [join(path, name), identities[at]] as const).filter(isThere));
    } catch (error) {
      this.#complain(path, (error as Error).message);
      const before = [...this.#tracked].filter(([, tracked]) => tracked.folder === folder);
      return new Map(before.map(([file, { identity }]) => [file, identity] as const).filter(isThere));
    }
  }

  #complain(folder: string, reason: string | undefined): void {
    if (reason === undefined) {
      this.#complaints.delete(folder);
    } else if (this.#complaints.get(folder) !== reason) {
      this.#complaints.set(folder, reason);
      this.#options.log.warn({ folder, reason }, 'module folder');
    }
  }

  /** Removals come last: a file that takes another's place is there before that one goes. */
  async #compare(sightings: ReadonlyMap<string, Sighting>): Promise<void> {
    const waiting: FileChange[] = [];
    let bytes = 0;
    for (const path of new Set([...sightings.keys(), ...this.#tracked.keys()])) {
      const change = await this.#compareOne(path, sightings.get(path));
      if (change === undefined) continue;
      waiting.push(change);
      if ('bytes' in change) bytes += change.bytes.length;
      if (bytes < BATCH_BYTES) continue;
      await this.#options.onChanges(waiting.splice(0));
      bytes = 0;
    }
    if (waiting.length > 0) await this.#options.onChanges(waiting);
  }

  async #compareOne(path: string, sighting: Sighting | undefined): Promise<FileChange | undefined> {
    const before = this.#tracked.get(path);
    if (sighting === undefined) return this.#miss(path, before!);
    const { folder, identity } = sighting;
    const tracked = before ?? { folder, identity: undefined, misses: 0, taken: undefined, complaint: undefined };
    this.#tracked.set(path, tracked);
    const settled = tracked.identity === identity;
    tracked.identity = identity;
    tracked.misses = 0;
    return settled ? readChange(path, tracked) : undefined;
  }

  #miss(path: string, tracked: Tracked): FileChange | undefined {
    tracked.identity = undefined;
    if (++tracked.misses < MISSES) return undefined;
    this.#tracked.delete(path);
    const listed = tracked.taken !== undefined || tracked.complaint !== undefined;
    return listed ? { path, folder: tracked.folder, kind: 'removed' } : undefined;
  }
}

/** What is new about a settled file. One that could not be read is tried again at each look. */
async function readChange(path: string, tracked: Tracked): Promise<FileChange | undefined> {
  const { folder, identity, taken } = tracked;
  if (identity === taken) return undefined;
  try {
    const module = await readBounded(path, MODULE_MAX_BYTES);
    const signature = await readBounded(path + SIGNATURE_EXTENSION, SIGNATURE_FILE_MAX_BYTES);
    if (pairOf(module?.identity, signature?.identity) !== identity) return undefined;
    tracked.taken = identity;
    tracked.complaint = undefined;
    const kind = taken === undefined ? 'added' : 'changed';
    return { path, folder, kind, bytes: module!.bytes, ...(signature && { signature: signature.bytes }) };
  } catch (error) {
    const reason = (error as Error).message;
    if (reason === tracked.complaint) return undefined;
    tracked.complaint = reason;
    tracked.taken = undefined;
    return { path, folder, kind: 'unreadable', reason };
  }
}

/** The bytes with the identity of the file they are of; undefined when there is none. */
async function readBounded(path: string, most: number): Promise<Content | undefined> {
  try {
    const { size } = checkFile(path, await stat(path, { bigint: true }), most);
    // Never waits, whatever has come to the place of the file since.
    await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    checkFile(path, await handle.stat({ bigint: true }), most);
    const bytes = await readExactly(handle, Number(size));
    return { bytes, identity: identityIn(await handle.stat({ bigint: true })) };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

interface Content {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly identity: string;
}

function checkFile(path: string, stats: BigIntStats, most: number): BigIntStats {
  const { size } = stats;
  if (!stats.isFile()) throw new UnreadableError(`${path} is not a regular file`);
  if (size > most) throw new UnreadableError(`${path} has ${size} bytes, at most ${most} are read`);
  return stats;
}

/** Fewer bytes when the file has become shorter: its identity tells. */
async function readExactly(handle: FileHandle, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  let filled = 0;
  while (filled < size) {
    const { bytesRead } = await handle.read(bytes, filled, size - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

function isThere(entry: readonly [string, string | undefined]): entry is readonly [string, string] {
  return entry[1] !== undefined;
}

/** Names of modules, sorted; none when the folder is not there (yet). */
async function listModules(folder: string): Promise<string[]> {
  const names: string[] = [];
  let entries = 0;
  try {
    for await (const { name } of await opendir(folder)) {
      if (++entries > ENTRIES_MAX)
        throw new UnreadableError(`has more than ${ENTRIES_MAX} entries: not a module folder`);
      if (name.endsWith(MODULE_EXTENSION) && !name.startsWith('.')) names.push(name);
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  return names.sort();
}

/** Of a module and its signature; undefined when there is no module. */
async function pairIdentity(path: string): Promise<string | undefined> {
  const [module, signature] = await Promise.all([identityOf(path), identityOf(path + SIGNATURE_EXTENSION)]);
  return pairOf(module, signature);
}

function pairOf(module: string | undefined, signature: string | undefined): string | undefined {
  return module === undefined ? undefined : `${module} ${signature ?? 'unsigned'}`;
}

/** Through links. A file that cannot be looked at is there all the same, and reading it will tell why. */
async function identityOf(path: string): Promise<string | undefined> {
  try {
    return identityIn(await stat(path, { bigint: true }));
  } catch (error) {
    return isMissing(error) ? undefined : 'unknown';
  }
}

/** The time of change is in it because the time of modification can be set back. */
function identityIn({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}

function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}
