/** host/modules/watch.ts on real folders, look by look: what is handed on, and what is not yet. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FILES_MAX, type FileChange, FolderWatcher, MODULE_MAX_BYTES, watchFolders } from '../../host/modules/watch.ts';
import { type Line, rememberingLog, temporaryFolder, until } from './fixtures.ts';

/** Changes as `kind name content`, so that a test reads like what happened. */
function describeChange(change: FileChange): string {
  const name = change.path.split('/').at(-1);
  if (change.kind === 'unreadable') return `unreadable ${name}`;
  if (change.kind === 'removed') return `removed ${name}`;
  const { kind, bytes, signature } = change;
  const signed = signature === undefined ? '' : ` signed ${Buffer.from(signature)}`;
  return `${kind} ${name} ${Buffer.from(bytes)}${signed}`;
}

interface Watched {
  readonly look: () => Promise<string[]>;
  readonly changes: FileChange[];
  readonly lines: Line[];
}

function watched(...folders: string[]): Watched {
  const changes: FileChange[] = [];
  const { log, lines } = rememberingLog();
  const watcher = new FolderWatcher({ folders, log, onChanges: (some) => void changes.push(...some) });
  const look = async () => {
    const before = changes.length;
    await watcher.look();
    return changes.slice(before).map(describeChange);
  };
  return { look, changes, lines };
}

describe('a file', () => {
  test('is handed on when two looks found it the same, and once', async () => {
    const folder = temporaryFolder();
    const { look } = watched(folder);
    writeFileSync(join(folder, 'a.wasm'), 'one');
    expect(await look()).toEqual([]);
    expect(await look()).toEqual(['added a.wasm one']);
    expect(await look()).toEqual([]);
  });

  test('that is still being written is not', async () => {
    const folder = temporaryFolder();
    const { look } = watched(folder);
    const path = join(folder, 'a.wasm');
    writeFileSync(path, '');
    for (const part of ['half ', 'of ', 'it']) {
      appendFileSync(path, part);
      expect(await look()).toEqual([]);
    }
    expect(await look()).toEqual(['added a.wasm half of it']);
  });

  test('that another takes the place of, by rename, is handed on anew', async () => {
    const folder = temporaryFolder();
    const { look } = watched(folder);
    writeFileSync(join(folder, 'a.wasm'), 'one');
    await look();
    await look();
    writeFileSync(join(folder, '.a.wasm.tmp'), 'two');
    renameSync(join(folder, '.a.wasm.tmp'), join(folder, 'a.wasm'));
    expect(await look()).toEqual([]);
    expect(await look()).toEqual(['changed a.wasm two']);
  });

  test('that is rewritten in place with its size and times as before is handed on anew', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'a.wasm');
    const { look } = watched(folder);
    const time = 1_700_000_000;
    writeFileSync(path, 'one');
    utimesSync(path, time, time);
    await look();
    await look();
    const { ctimeMs } = statSync(path);
    // The time of change moves in steps of the kernel's clock.
    while (statSync(path).ctimeMs === ctimeMs) {
      writeFileSync(path, 'two');
      utimesSync(path, time, time);
    }
    await look();
    expect(await look()).toEqual(['changed a.wasm two']);
  });

  test('is removed when three looks did not find it', async () => {
    const folder = temporaryFolder();
    const { look } = watched(folder);
    const path = join(folder, 'a.wasm');
    writeFileSync(path, 'one');
    await look();
    await look();
    renameSync(path, `${path}.away`);
    expect(await look()).toEqual([]);
    expect(await look()).toEqual([]);
    renameSync(`${path}.away`, path);
    expect(await look()).toEqual([]);
    rmSync(path);
    await look();
    await look();
    expect(await look()).toEqual(['removed a.wasm']);
    expect(await look()).toEqual([]);
  });

  test('comes with its signature, and again when only that changes or goes', async () => {
    const folder = temporaryFolder();
    const { look } = watched(folder);
    writeFileSync(join(folder, 'a.wasm'), 'one');
    await look();
    await look();
    writeFileSync(join(folder, 'a.wasm.minisig'), 'A');
    await look();
    expect(await look()).toEqual(['changed a.wasm one signed A']);
    rmSync(join(folder, 'a.wasm.minisig'));
    await look();
    expect(await look()).toEqual(['changed a.wasm one']);
  });

  test('and its signature are handed on together when both are replaced one after the other', async () => {
    const folder = temporaryFolder();
    const { look } = watched(folder);
    writeFileSync(join(folder, 'a.wasm'), 'one');
    writeFileSync(join(folder, 'a.wasm.minisig'), 'A');
    await look();
    expect(await look()).toEqual(['added a.wasm one signed A']);
    writeFileSync(join(folder, 'a.wasm'), 'two!');
    expect(await look()).toEqual([]);
    writeFileSync(join(folder, 'a.wasm.minisig'), 'BB');
    expect(await look()).toEqual([]);
    expect(await look()).toEqual(['changed a.wasm two! signed BB']);
  });

  test('that takes the place of another name comes before that one goes', async () => {
    const folder = temporaryFolder();
    const { look } = watched(folder);
    writeFileSync(join(folder, 'a-1.wasm'), 'one');
    await look();
    await look();
    renameSync(join(folder, 'a-1.wasm'), join(folder, 'a-2.wasm'));
    await look();
    expect(await look()).toEqual(['added a-2.wasm one']);
    expect(await look()).toEqual(['removed a-1.wasm']);
  });

  test('and comes before it even when the look during the rename found neither name', async () => {
    const folder = temporaryFolder();
    const { look } = watched(folder);
    writeFileSync(join(folder, 'a-1.wasm'), 'one');
    await look();
    await look();
    renameSync(join(folder, 'a-1.wasm'), join(folder, 'elsewhere'));
    await look();
    renameSync(join(folder, 'elsewhere'), join(folder, 'a-2.wasm'));
    await look();
    expect(await look()).toEqual(['added a-2.wasm one', 'removed a-1.wasm']);
  });

  test('with a hidden name or another extension is none of ours', async () => {
    const folder = temporaryFolder();
    const { look } = watched(folder);
    for (const name of ['.a.wasm', 'a.wasm.tmp', 'a.WASM', 'b.txt', 'c.minisig'])
      writeFileSync(join(folder, name), 'x');
    writeFileSync(join(folder, 'z.wasm'), 'z');
    await look();
    expect(await look()).toEqual(['added z.wasm z']);
  });
});

describe('a file that is not taken', () => {
  test('is too large: said once with the reason, and taken when it has shrunk', async () => {
    const folder = temporaryFolder();
    const { look, changes } = watched(folder);
    writeFileSync(join(folder, 'a.wasm'), Buffer.alloc(MODULE_MAX_BYTES + 1));
    await look();
    expect(await look()).toEqual(['unreadable a.wasm']);
    expect(changes[0]).toMatchObject({ reason: expect.stringContaining('has 1048577 bytes, at most 1048576') });
    expect(await look()).toEqual([]);
    writeFileSync(join(folder, 'a.wasm'), 'small');
    await look();
    expect(await look()).toEqual(['added a.wasm small']);
  });

  test('has the largest size there is: taken', async () => {
    const folder = temporaryFolder();
    const { look, changes } = watched(folder);
    writeFileSync(join(folder, 'a.wasm'), Buffer.alloc(MODULE_MAX_BYTES, 7));
    await look();
    await look();
    expect(changes[0]).toMatchObject({ kind: 'added', bytes: new Uint8Array(MODULE_MAX_BYTES).fill(7) });
  });

  test('is a folder, a pipe that nobody writes to, or a link in a circle', async () => {
    const folder = temporaryFolder();
    const { look, changes } = watched(folder);
    mkdirSync(join(folder, 'folder.wasm'));
    execFileSync('mkfifo', [join(folder, 'pipe.wasm')]);
    symlinkSync('circle.wasm', join(folder, 'circle.wasm'));
    await look();
    expect(await look()).toEqual(['unreadable circle.wasm', 'unreadable folder.wasm', 'unreadable pipe.wasm']);
    const reasons = changes.map((change) => (change.kind === 'unreadable' ? change.reason : ''));
    expect(reasons).toEqual([
      expect.stringContaining('ELOOP'),
      expect.stringContaining('is not a regular file'),
      expect.stringContaining('is not a regular file'),
    ]);
    expect(await look()).toEqual([]);
    rmSync(join(folder, 'circle.wasm'));
    await look();
    await look();
    expect(await look()).toEqual(['removed circle.wasm']);
  });

  test('has a signature that is too large', async () => {
    const folder = temporaryFolder();
    const { look, changes } = watched(folder);
    writeFileSync(join(folder, 'a.wasm'), 'one');
    writeFileSync(join(folder, 'a.wasm.minisig'), Buffer.alloc(16 * 1024 + 1));
    await look();
    await look();
    expect(changes).toEqual([
      expect.objectContaining({ kind: 'unreadable', reason: expect.stringContaining('.minisig') }),
    ]);
  });

  test('is a link to nothing: not there', async () => {
    const folder = temporaryFolder();
    const { look } = watched(folder);
    symlinkSync('nothing', join(folder, 'a.wasm'));
    await look();
    expect(await look()).toEqual([]);
    writeFileSync(join(folder, 'nothing'), 'something');
    await look();
    expect(await look()).toEqual(['added a.wasm something']);
  });
});

describe('folders', () => {
  test('may appear later, and go again', async () => {
    const folder = join(temporaryFolder(), 'later');
    const { look, lines } = watched(folder);
    expect(await look()).toEqual([]);
    mkdirSync(folder);
    writeFileSync(join(folder, 'a.wasm'), 'one');
    await look();
    expect(await look()).toEqual(['added a.wasm one']);
    rmSync(folder, { recursive: true });
    await look();
    await look();
    expect(await look()).toEqual(['removed a.wasm']);
    expect(lines).toEqual([]);
  });

  test('are told apart by their position', async () => {
    const [first, second] = [temporaryFolder(), temporaryFolder()];
    const { look, changes } = watched(first, second);
    for (const folder of [first, second]) writeFileSync(join(folder, 'a.wasm'), folder);
    await look();
    await look();
    expect(changes.map(({ path, folder }) => [path, folder])).toEqual([
      [join(first, 'a.wasm'), 0],
      [join(second, 'a.wasm'), 1],
    ]);
  });

  test('hold no more modules than are watched: the first by name, and a line about the rest', async () => {
    const folder = temporaryFolder();
    const { look, lines } = watched(folder);
    for (let at = 0; at < FILES_MAX + 2; at++) writeFileSync(join(folder, `${1000 + at}.wasm`), 'x');
    await look();
    const found = await look();
    expect(found).toHaveLength(FILES_MAX);
    expect(found.at(-1)).toBe(`added ${1000 + FILES_MAX - 1}.wasm x`);
    await look();
    expect(lines).toHaveLength(1);
    expect(lines[0]!.fields.reason).toBe(`more than ${FILES_MAX} modules: 2 are left out`);
  });

  test('that cannot be listed leave what was there as it was, and one line', async () => {
    const folder = temporaryFolder();
    const { look, lines } = watched(folder);
    writeFileSync(join(folder, 'a.wasm'), 'one');
    await look();
    await look();
    for (let at = 0; at < 4200; at++) writeFileSync(join(folder, `${at}`), '');
    for (let times = 0; times < 3; times++) expect(await look()).toEqual([]);
    expect(lines.map(({ fields }) => fields.reason)).toEqual(['has more than 4096 entries: not a module folder']);
  });
});

/** As the kubelet writes them: files are links into `..data`, which is a link to a folder that is replaced as a whole. */
describe('a ConfigMap volume', () => {
  function publish(volume: string, revision: string, files: Readonly<Record<string, string>>): void {
    mkdirSync(join(volume, revision));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(volume, revision, name), text);
    symlinkSync(revision, join(volume, '..data_tmp'));
    renameSync(join(volume, '..data_tmp'), join(volume, '..data'));
    const links = readdirSync(volume).filter((name) => !name.startsWith('..'));
    for (const name of Object.keys(files)) {
      if (!links.includes(name)) symlinkSync(join('..data', name), join(volume, name));
    }
    for (const name of links) if (!(name in files)) rmSync(join(volume, name));
  }

  test('is followed through swaps of ..data, signatures with their modules', async () => {
    const volume = temporaryFolder();
    const { look } = watched(volume);
    publish(volume, '..1', { 'a.wasm': 'one', 'a.wasm.minisig': 'A', 'b.wasm': 'same' });
    await look();
    expect(await look()).toEqual(['added a.wasm one signed A', 'added b.wasm same']);
    publish(volume, '..2', { 'a.wasm': 'two', 'a.wasm.minisig': 'B', 'c.wasm': 'new' });
    rmSync(join(volume, '..1'), { recursive: true });
    expect(await look()).toEqual([]);
    expect(await look()).toEqual(['changed a.wasm two signed B', 'added c.wasm new']);
    expect(await look()).toEqual(['removed b.wasm']);
    expect(await look()).toEqual([]);
  });
});

describe('watchFolders', () => {
  test('looks by itself, waits for who takes the changes, and looks no more when closed', async () => {
    const folder = temporaryFolder();
    const { log } = rememberingLog();
    const seen: string[] = [];
    const taken = Promise.withResolvers<void>();
    const onChanges = (changes: readonly FileChange[]) => {
      seen.push(...changes.map(describeChange));
      return taken.promise;
    };
    const watch = watchFolders({ folders: [folder], log, intervalMs: 5, onChanges });
    const other: string[] = [];
    const second = watchFolders({
      folders: [folder],
      log,
      intervalMs: 5,
      onChanges: (changes) => void other.push(...changes.map(describeChange)),
    });
    writeFileSync(join(folder, 'a.wasm'), 'one');
    await until(() => expect([seen, other]).toEqual([['added a.wasm one'], ['added a.wasm one']]));
    writeFileSync(join(folder, 'b.wasm'), 'two');
    await until(() => expect(other).toContain('added b.wasm two'));
    expect(seen).toEqual(['added a.wasm one']);
    taken.resolve();
    await watch.close();
    await second.close();
    expect(seen).toEqual(['added a.wasm one']);
  });

  test('goes on when who takes the changes fails', async () => {
    const folder = temporaryFolder();
    const { log, lines } = rememberingLog();
    let calls = 0;
    const watch = watchFolders({
      folders: [folder],
      log,
      intervalMs: 5,
      onChanges: () => Promise.reject(new Error(`no ${++calls}`)),
    });
    writeFileSync(join(folder, 'a.wasm'), 'one');
    await until(() => expect(calls).toBe(1));
    writeFileSync(join(folder, 'b.wasm'), 'two');
    await until(() => expect(calls).toBe(2));
    await watch.close();
    expect(lines.map(({ level, fields }) => [level, fields.error])).toEqual([
      ['error', 'no 1'],
      ['error', 'no 2'],
    ]);
  });
});
