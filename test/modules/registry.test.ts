/**
 * host/modules/registry.ts: which version runs after what happened to the files and to the modules, on real folders
 * with real modules. The shards are played: they remember what they were told.
 */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Accept } from '../../host/modules/candidates.ts';
import { parsePublicKey } from '../../host/modules/minisign.ts';
import { createSecretKey, formatPublicKey, signBytes } from '../../host/modules/minisign-key.ts';
import { ModuleRegistry, type Shards } from '../../host/modules/registry.ts';
import type { TrustRules } from '../../host/modules/trust.ts';
import { admitModule, digestOf, type ParserModule } from '../../host/wasm/admit.ts';
import { PAUSE, RECOVER, RETIRE } from '../../host/wasm/failures.ts';
import { type Bytes, type Line, makeModule, rememberingLog, temporaryFolder, until } from './fixtures.ts';

const OPEN: TrustRules = { policy: 'off', keys: [], digests: new Set(), minimum: new Map() };

/** Remembers what it was told as `load NAME VERSION` and `unload NAME`. */
class PlayedShards implements Shards {
  readonly told: string[] = [];
  readonly running = new Map<string, string>();
  /** Digests that cannot be loaded. */
  readonly broken = new Set<string>();

  async load({ manifest, digest }: ParserModule): Promise<void> {
    this.told.push(`load ${manifest.name} ${manifest.version}`);
    if (this.broken.has(digest)) throw new Error('layout() failed');
    this.running.set(manifest.name, digest);
  }

  async unload(digest: string, name: string): Promise<void> {
    this.told.push(`unload ${name}`);
    if (this.running.get(name) !== digest) throw new Error('does not run');
    this.running.delete(name);
  }
}

interface Rig {
  readonly folder: string;
  readonly registry: ModuleRegistry;
  readonly shards: PlayedShards;
  readonly lines: Line[];
  /** Waits until the rows are these, each `name version state origin`, with the file's name for its path. */
  rows(...expected: string[]): Promise<void>;
  put(file: string, bytes: Uint8Array | string): void;
}

interface Setting {
  readonly shipped?: readonly Bytes[];
  readonly rules?: Partial<TrustRules>;
  readonly accept?: Accept;
  readonly folders?: readonly string[];
}

function start({ shipped = [], rules = {}, accept, folders }: Setting = {}): Rig {
  const folder = folders?.[0] ?? temporaryFolder();
  const shards = new PlayedShards();
  const { log, lines } = rememberingLog();
  const modules = shipped.map(admitModule);
  for (const { manifest, digest } of modules) shards.running.set(manifest.name, digest);
  const registry = new ModuleRegistry({
    shipped: modules,
    folders: folders ?? [folder],
    rules: { ...OPEN, ...rules },
    shards,
    log,
    intervalMs: 5,
    ...(accept && { accept }),
  });
  registry.start();
  onTestFinished(() => registry.close());
  const listed = () =>
    registry
      .list()
      .map(({ name, version, state, origin }) => `${name} ${version} ${state} ${origin.split('/').at(-1)}`);
  return {
    folder,
    registry,
    shards,
    lines,
    rows: (...expected) => until(() => expect(listed().sort()).toEqual(expected.sort())),
    put(file, bytes) {
      writeFileSync(join(folder, `.${file}`), bytes);
      renameSync(join(folder, `.${file}`), join(folder, file));
    },
  };
}

const row = ({ registry }: Rig, version: string) => registry.list().find((one) => one.version === version)!;
const v = (version: string, note?: string) => makeModule('demo', version, note);

describe('the version that runs', () => {
  test('is the shipped one, a higher one that is dropped in, and the shipped one again when that is removed', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    await rig.rows('demo 1.0.0 running shipped');
    rig.put('demo.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running demo.wasm');
    expect(row(rig, '1.1.0').loadedAt).toBeInstanceOf(Date);
    rmSync(join(rig.folder, 'demo.wasm'));
    await rig.rows('demo 1.0.0 running shipped');
    expect(rig.shards.told).toEqual(['load demo 1.1.0', 'load demo 1.0.0']);
    expect(rig.shards.running.get('demo')).toBe(digestOf(v('1.0.0')));
  });

  test('of a module that nobody shipped is loaded, replaced and unloaded', async () => {
    const rig = start();
    rig.put('new.wasm', makeModule('new', '0.1.0'));
    await rig.rows('new 0.1.0 running new.wasm');
    rig.put('new.wasm', makeModule('new', '0.2.0'));
    await rig.rows('new 0.2.0 running new.wasm', 'new 0.1.0 standby new.wasm');
    rmSync(join(rig.folder, 'new.wasm'));
    await rig.rows();
    expect(rig.shards.told).toEqual(['load new 0.1.0', 'load new 0.2.0', 'unload new']);
    expect(rig.registry.counts).toMatchObject({ loaded: 2, unloaded: 1 });
  });

  test('is the highest by precedence, not by text, and a lower one stands by', async () => {
    const rig = start({ shipped: [v('1.9.0')] });
    rig.put('a.wasm', v('1.10.0'));
    await rig.rows('demo 1.9.0 standby shipped', 'demo 1.10.0 running a.wasm');
    rig.put('b.wasm', v('1.10.0-rc.1'));
    await rig.rows('demo 1.9.0 standby shipped', 'demo 1.10.0 running a.wasm', 'demo 1.10.0-rc.1 standby b.wasm');
    expect(rig.shards.told).toEqual(['load demo 1.10.0']);
  });

  test('of equal versions is that of the later folder, then of the earlier, then the shipped one', async () => {
    const folders = [temporaryFolder(), temporaryFolder()];
    writeFileSync(join(folders[0]!, 'first.wasm'), v('1.0.0', 'first'));
    writeFileSync(join(folders[1]!, 'second.wasm'), v('1.0.0', 'second'));
    const rig = start({ shipped: [v('1.0.0', 'shipped')], folders });
    const runs = (note: string) => until(() => expect(rig.shards.running.get('demo')).toBe(digestOf(v('1.0.0', note))));
    await runs('second');
    rmSync(join(folders[1]!, 'second.wasm'));
    await runs('first');
    rmSync(join(folders[0]!, 'first.wasm'));
    await runs('shipped');
    expect(rig.shards.told).toHaveLength(3);
  });

  test('is not loaded again for the same bytes in another place', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    rig.put('copy.wasm', v('1.0.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.0.0 running copy.wasm');
    rmSync(join(rig.folder, 'copy.wasm'));
    await rig.rows('demo 1.0.0 running shipped');
    expect(rig.shards.told).toEqual([]);
  });

  test('changes once, not over the shipped one, when a file takes the place of another name', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    rig.put('demo-1.1.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running demo-1.1.wasm');
    writeFileSync(join(rig.folder, 'demo-1.1.wasm'), v('1.2.0'));
    renameSync(join(rig.folder, 'demo-1.1.wasm'), join(rig.folder, 'demo-1.2.wasm'));
    await until(() => expect(rig.shards.running.get('demo')).toBe(digestOf(v('1.2.0'))));
    expect(rig.shards.told).toEqual(['load demo 1.1.0', 'load demo 1.2.0']);
  });

  test('follows the swap of a ConfigMap volume', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    const publish = (revision: string, bytes: Bytes) => {
      mkdirSync(join(rig.folder, revision));
      writeFileSync(join(rig.folder, revision, 'demo.wasm'), bytes);
      symlinkSync(revision, join(rig.folder, '..data_tmp'));
      renameSync(join(rig.folder, '..data_tmp'), join(rig.folder, '..data'));
    };
    publish('..1', v('1.1.0'));
    symlinkSync('..data/demo.wasm', join(rig.folder, 'demo.wasm'));
    await until(() => expect(rig.shards.running.get('demo')).toBe(digestOf(v('1.1.0'))));
    publish('..2', v('1.2.0'));
    await until(() => expect(rig.shards.running.get('demo')).toBe(digestOf(v('1.2.0'))));
    expect(rig.shards.told).toEqual(['load demo 1.1.0', 'load demo 1.2.0']);
  });

  test('may be lower when its own file says so', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    rig.put('demo.wasm', v('1.2.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.2.0 running demo.wasm');
    rig.put('demo.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running demo.wasm');
  });
});

describe('a refused file', () => {
  test('is listed with the reason and takes nothing from what runs', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    const cut = v('1.1.0').slice(0, 500);
    rig.put('demo.wasm', cut);
    await rig.rows('demo 1.0.0 running shipped', 'demo  refused demo.wasm');
    const { reason } = row(rig, '');
    expect(reason).toBeTruthy();
    expect(() => admitModule(cut)).toThrow(reason!);
    expect(rig.lines).toContainEqual(expect.objectContaining({ level: 'warn', message: 'module refused' }));
    expect(rig.registry.counts.refused).toBe(1);
    expect(rig.shards.told).toEqual([]);
  });

  test('that overwrites the version that runs leaves it running, until it is removed', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    rig.put('demo.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running demo.wasm');
    rig.put('demo.wasm', 'not a module');
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running demo.wasm', 'demo  refused demo.wasm');
    rmSync(join(rig.folder, 'demo.wasm'));
    await rig.rows('demo 1.0.0 running shipped');
    expect(rig.shards.told).toEqual(['load demo 1.1.0', 'load demo 1.0.0']);
  });

  test('is one that acceptance refuses, or fails on', async () => {
    const accept: Accept = async (_bytes, { manifest }) => {
      if (manifest.version === '1.1.0') return 'case "a reply": 1 message instead of 2';
      if (manifest.version === '1.2.0') throw new Error('trapped');
      return undefined;
    };
    const rig = start({ shipped: [v('1.0.0')], accept });
    rig.put('a.wasm', v('1.1.0'));
    rig.put('b.wasm', v('1.2.0'));
    rig.put('c.wasm', v('1.0.1'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.0.1 running c.wasm', 'a  refused a.wasm', 'b  refused b.wasm');
    const reasons = rig.registry.list().map(({ reason }) => reason);
    expect(reasons).toContain('not accepted: case "a reply": 1 message instead of 2');
    expect(reasons).toContain('trapped');
  });

  test('is one that is too large, and it is taken when it has shrunk', async () => {
    const rig = start();
    rig.put('demo.wasm', Buffer.alloc(2 * 1024 * 1024));
    await rig.rows('demo  refused demo.wasm');
    expect(row(rig, '').reason).toContain('at most 1048576');
    rig.put('demo.wasm', v('1.0.0'));
    await rig.rows('demo 1.0.0 running demo.wasm');
  });
});

describe('trust', () => {
  const secret = createSecretKey();
  const keys = [parsePublicKey(formatPublicKey(secret))];
  const enforce = { policy: 'enforce', keys } as const;

  test('under enforce: unsigned is refused unparsed, signed runs, and says by whom', async () => {
    const rig = start({ shipped: [v('1.0.0')], rules: enforce });
    rig.put('file.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 running shipped', 'file  refused file.wasm');
    expect(row(rig, '').reason).toContain(`--module-digests ${digestOf(v('1.1.0'))}`);
    rig.put('file.wasm.minisig', signBytes(v('1.1.0'), secret, 'x'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running file.wasm');
    expect(row(rig, '1.1.0').trust).toBe(`signed by ${secret.id}`);
    expect(row(rig, '1.0.0').trust).toBe('shipped');
  });

  test('under enforce: what runs stays while the new file waits for its signature', async () => {
    const rig = start({ shipped: [v('1.0.0')], rules: enforce });
    rig.put('file.wasm.minisig', signBytes(v('1.1.0'), secret, 'x'));
    rig.put('file.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running file.wasm');
    rig.put('file.wasm', v('1.2.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running file.wasm', 'file  refused file.wasm');
    rig.put('file.wasm.minisig', signBytes(v('1.2.0'), secret, 'x'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 standby file.wasm', 'demo 1.2.0 running file.wasm');
    expect(rig.shards.told).toEqual(['load demo 1.1.0', 'load demo 1.2.0']);
  });

  test('under enforce: an allowed digest runs', async () => {
    const rig = start({ rules: { policy: 'enforce', digests: new Set([digestOf(v('1.1.0'))]) } });
    rig.put('file.wasm', v('1.1.0'));
    await rig.rows('demo 1.1.0 running file.wasm');
    expect(row(rig, '1.1.0').trust).toBe('allowed digest');
  });

  test('under enforce: a signed version below the lowest is refused; what is shipped is not asked', async () => {
    const rig = start({ shipped: [v('1.0.0')], rules: { ...enforce, minimum: new Map([['demo', '1.2.0']]) } });
    for (const version of ['1.1.0', '1.2.0']) {
      rig.put(`${version}.wasm.minisig`, signBytes(v(version), secret, 'x'));
      rig.put(`${version}.wasm`, v(version));
    }
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 refused 1.1.0.wasm', 'demo 1.2.0 running 1.2.0.wasm');
    expect(row(rig, '1.1.0').reason).toContain('older than 1.2.0');
    rmSync(join(rig.folder, '1.2.0.wasm'));
    await rig.rows('demo 1.0.0 running shipped', 'demo 1.1.0 refused 1.1.0.wasm');
  });

  test('under warn: it runs, with everything that is wrong said', async () => {
    const rig = start({ rules: { policy: 'warn', keys, minimum: new Map([['demo', '1.2.0']]) } });
    rig.put('file.wasm', v('1.1.0'));
    await rig.rows('demo 1.1.0 running file.wasm');
    expect(row(rig, '1.1.0')).toMatchObject({
      trust: 'untrusted',
      reason: expect.stringMatching(/no signature.*older/),
    });
    expect(rig.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', message: 'module taken with a warning' }),
    );
  });
});

describe('a version that fails', () => {
  test('for good is put in quarantine, and the version before it runs again though its file is overwritten', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    rig.put('demo.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running demo.wasm');
    rig.put('demo.wasm', v('1.2.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 standby demo.wasm', 'demo 1.2.0 running demo.wasm');
    await rig.registry.failed(digestOf(v('1.2.0')), RETIRE, 'unreachable');
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running demo.wasm', 'demo 1.2.0 quarantined demo.wasm');
    expect(row(rig, '1.2.0').reason).toBe('unreachable');
    expect(rig.registry.counts).toMatchObject({ quarantined: 1, rolledBack: 1 });
    rig.put('other.wasm', v('0.9.0'));
    await until(() => expect(row(rig, '0.9.0')?.state).toBe('standby'));
    expect(row(rig, '1.1.0').state).toBe('running');
    expect(rig.shards.told).toEqual(['load demo 1.1.0', 'load demo 1.2.0', 'load demo 1.1.0']);
  });

  test('only once or for a while keeps running', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    await rig.registry.failed(digestOf(v('1.0.0')), RECOVER, 'trap');
    await rig.registry.failed(digestOf(v('1.0.0')), PAUSE, 'trap');
    await rig.rows('demo 1.0.0 running shipped');
    expect(rig.shards.told).toEqual([]);
  });

  test('and is reported by every shard is rolled back once', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    rig.put('demo.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running demo.wasm');
    await Promise.all([1, 2, 3].map(() => rig.registry.failed(digestOf(v('1.1.0')), RETIRE, 'trap')));
    await rig.rows('demo 1.0.0 running shipped', 'demo 1.1.0 quarantined demo.wasm');
    expect(rig.shards.told).toEqual(['load demo 1.1.0', 'load demo 1.0.0']);
    expect(rig.registry.counts).toMatchObject({ quarantined: 1, rolledBack: 1 });
  });

  test('goes back to what had proved itself, not to the next that nobody tried', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    const change = (path: string, bytes: Bytes) => ({ path, folder: 0, kind: 'added', bytes }) as const;
    await rig.registry.update([change('b', v('2.0.0')), change('c', v('3.0.0'))]);
    await rig.registry.failed(digestOf(v('3.0.0')), RETIRE, 'trap');
    await rig.rows('demo 1.0.0 running shipped', 'demo 2.0.0 standby b', 'demo 3.0.0 quarantined c');
    await rig.registry.failed(digestOf(v('1.0.0')), RETIRE, 'trap');
    await rig.rows('demo 1.0.0 quarantined shipped', 'demo 2.0.0 running b', 'demo 3.0.0 quarantined c');
    await rig.registry.failed(digestOf(v('2.0.0')), RETIRE, 'trap');
    expect(rig.shards.told).toEqual(['load demo 3.0.0', 'load demo 1.0.0', 'load demo 2.0.0', 'unload demo']);
    expect(rig.shards.running.size).toBe(0);
  });

  test('does not go back to a file that was removed', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    rig.put('demo.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running demo.wasm');
    rmSync(join(rig.folder, 'demo.wasm'));
    await rig.rows('demo 1.0.0 running shipped');
    await rig.registry.failed(digestOf(v('1.0.0')), RETIRE, 'trap');
    await rig.rows('demo 1.0.0 quarantined shipped');
    expect(rig.shards.told.at(-1)).toBe('unload demo');
  });

  test('goes back to the version before though that went with its file name', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    rig.put('demo-1.1.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running demo-1.1.wasm');
    writeFileSync(join(rig.folder, 'demo-1.1.wasm'), v('1.2.0'));
    renameSync(join(rig.folder, 'demo-1.1.wasm'), join(rig.folder, 'demo-1.2.wasm'));
    await until(() => expect(row(rig, '1.2.0')?.state).toBe('running'));
    await rig.registry.failed(digestOf(v('1.2.0')), RETIRE, 'trap');
    await rig.rows(
      'demo 1.0.0 standby shipped',
      'demo 1.1.0 running demo-1.1.wasm',
      'demo 1.2.0 quarantined demo-1.2.wasm',
    );
    rmSync(join(rig.folder, 'demo-1.2.wasm'));
    await rig.rows('demo 1.0.0 running shipped');
  });

  test('stays in quarantine wherever its bytes are put; changed bytes get their chance', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    rig.put('demo.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running demo.wasm');
    await rig.registry.failed(digestOf(v('1.1.0')), RETIRE, 'trap');
    rmSync(join(rig.folder, 'demo.wasm'));
    await rig.rows('demo 1.0.0 running shipped');
    rig.put('again.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 running shipped', 'demo 1.1.0 quarantined again.wasm');
    rig.put('again.wasm', v('1.1.0', 'repaired'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running again.wasm');
    expect(rig.shards.running.get('demo')).toBe(digestOf(v('1.1.0', 'repaired')));
  });

  test('after it was replaced goes into quarantine without a change of what runs', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    rig.put('demo.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running demo.wasm');
    await rig.registry.failed(digestOf(v('1.0.0')), RETIRE, 'trap');
    await rig.rows('demo 1.0.0 quarantined shipped', 'demo 1.1.0 running demo.wasm');
    await rig.registry.failed(digestOf(v('1.1.0')), RETIRE, 'trap');
    await rig.rows('demo 1.0.0 quarantined shipped', 'demo 1.1.0 quarantined demo.wasm');
    expect(rig.shards.told).toEqual(['load demo 1.1.0', 'unload demo']);
  });

  test('and is not known does nothing', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    await rig.registry.failed('0'.repeat(64), RETIRE, 'trap');
    await rig.rows('demo 1.0.0 running shipped');
  });
});

describe('shards', () => {
  test('that cannot load a version get back the one before, and it is in quarantine', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    rig.shards.broken.add(digestOf(v('1.1.0')));
    rig.put('demo.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 running shipped', 'demo 1.1.0 quarantined demo.wasm');
    expect(row(rig, '1.1.0').reason).toBe('could not be loaded: layout() failed');
    expect(rig.shards.told).toEqual(['load demo 1.1.0', 'load demo 1.0.0']);
    expect(rig.registry.counts.loadFailures).toBe(1);
  });

  test('that cannot take back the version before get the best that is left', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    rig.put('a.wasm', v('1.1.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 running a.wasm');
    rig.put('b.wasm', v('1.2.0'));
    await rig.rows('demo 1.0.0 standby shipped', 'demo 1.1.0 standby a.wasm', 'demo 1.2.0 running b.wasm');
    rig.shards.broken.add(digestOf(v('1.1.0')));
    await rig.registry.failed(digestOf(v('1.2.0')), RETIRE, 'trap');
    await rig.rows('demo 1.0.0 running shipped', 'demo 1.1.0 quarantined a.wasm', 'demo 1.2.0 quarantined b.wasm');
  });

  test('tell how many connections a replaced version still has, and it is listed as long as there are any', async () => {
    const rig = start();
    rig.put('demo.wasm', v('1.1.0'));
    await rig.rows('demo 1.1.0 running demo.wasm');
    const old = digestOf(v('1.1.0'));
    rig.put('demo.wasm', v('1.0.0'));
    await rig.rows('demo 1.0.0 running demo.wasm');
    rig.registry.draining(old, 12);
    await rig.rows('demo 1.0.0 running demo.wasm', 'demo 1.1.0 draining demo.wasm');
    expect(row(rig, '1.1.0').reason).toBe('12 connections are still on it');
    rig.registry.draining(old, 0);
    await rig.rows('demo 1.0.0 running demo.wasm');
  });

  test('are told nothing any more when the registry is closed', async () => {
    const rig = start({ shipped: [v('1.0.0')] });
    await rig.registry.close();
    await rig.registry.failed(digestOf(v('1.0.0')), RETIRE, 'trap');
    await rig.registry.update([{ path: 'a', folder: 0, kind: 'added', bytes: v('1.1.0') }]);
    expect(rig.shards.told).toEqual([]);
  });

  test('are told one thing at a time, and one that fails does not end it', async () => {
    const rig = start();
    let atWork = 0;
    let most = 0;
    rig.shards.load = async ({ manifest }) => {
      most = Math.max(most, ++atWork);
      await new Promise((resolve) => setImmediate(resolve));
      atWork--;
      if (manifest.name === 'c') throw new Error('no');
    };
    const names = ['a', 'b', 'c', 'd', 'e'];
    await Promise.all(
      names.map((name) =>
        rig.registry.update([{ path: name, folder: 0, kind: 'added', bytes: makeModule(name, '1.0.0') }]),
      ),
    );
    await rig.rows(...names.map((name) => `${name} 1.0.0 ${name === 'c' ? 'quarantined' : 'running'} ${name}`));
    expect(most).toBe(1);
  });
});
