/** The captures of ../shared/corpora: real traffic that no one here wrote. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';

const SHARED = new URL('../../../shared/', import.meta.url).pathname;

export interface CorpusCapture {
  /** "zeek/http/methods.pcap" */
  readonly name: string;
  readonly path: string;
}

/** Captures of a protocol; none, with the reason on stderr, where the corpora are absent. */
export function capturesOf(...folders: readonly string[]): CorpusCapture[] {
  if (!existsSync(SHARED)) {
    process.stderr.write(`SKIPPED captures of others: ../${basename(SHARED)}/corpora is not here\n`);
    return [];
  }
  return folders.flatMap((folder) => listCaptures(folder));
}

/** An empty folder is a broken checkout, not a reason to skip. */
function listCaptures(folder: string): CorpusCapture[] {
  const directory = join(SHARED, 'corpora', folder);
  const files = existsSync(directory) ? readdirSync(directory).filter((file) => /\.pcap(ng)?$/.test(file)) : [];
  if (files.length === 0) throw new Error(`no captures in ../shared/corpora/${folder}`);
  return files.sort().map((file) => ({ name: `${folder}/${file}`, path: join(directory, file) }));
}

export const HTTP_CAPTURES = ['zeek/http', 'deepflow/http'];
/** Of protocols that have no parser yet: TCP is TCP. */
export const OTHER_CAPTURES = ['zeek/mysql', 'zeek/postgresql', 'deepflow/kafka', 'deepflow/mysql', 'deepflow/postgre'];
export const REDIS_CAPTURES = ['zeek/redis', 'deepflow/redis'];
