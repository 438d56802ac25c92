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

/** Folders of captures in the corpora: each has a protocol in oracles/index.ts, or corpora-spans.test.ts fails. */
export function captureFolders(): string[] {
  const corpora = join(SHARED, 'corpora');
  if (!existsSync(SHARED)) return [];
  return ['zeek', 'deepflow'].flatMap((origin) =>
    readdirSync(join(corpora, origin), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `${origin}/${name}`),
  );
}
