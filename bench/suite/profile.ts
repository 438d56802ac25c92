/**
 * A CPU profile of V8 as shares of the stages. What counts as which stage is told by where the code stands, not by what
 * it is called: a file of the host, a file of one of our Wasm modules (where the module keeps its names), a module.
 * Time counts where it is spent; what V8 has inlined counts where it stood before.
 */
import { readFileSync } from 'node:fs';
import type { Session } from 'node:inspector';
import { buildProduct } from '../../host/self/build-product.ts';

export interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface Share {
  readonly stage: string;
  /** Of the pipeline's time. */
  readonly share: number;
  /** What most of it is, for people. */
  readonly functions: readonly string[];
}

/** The first that matches. Of a Wasm function what its module's name section tells, such as assembly/fifo/push. */
const STAGES: readonly (readonly [stage: string, where: RegExp])[] = [
  ['decode', /host\/pipeline|assembly\/decode/],
  ['order', /stream-order|assembly\/(order|stage)/],
  ['parse', /^parser module|host\/wasm\/(instance|guest|fuel|arena|memory|slots)/],
  ['check and consume', /host\/wasm\/|assembly\/(consume|check|output)/],
  ['route', /host\/conn\//],
  [
    'pair',
    /spans\/(pairing|fifo|keyed|messages|definitions|scopes|slab|lists|key-table)|assembly\/(pairing|pairs|fifo|keyed|key-table|messages|definitions|scopes|slab|lists)/,
  ],
  ['metrics', /metrics/],
  ['enrich', /host\/spans\/|assembly\/(assemble|refine|ids|trace|endpoint)/],
  ['engine, not told apart', /^engine/],
  ['garbage collection', /^\(garbage collector\)/],
];
const REST = 'the rest';
/** Calls that the scenario times: all that they call is part of them. */
const TIMED: readonly (readonly [stage: string, where: RegExp])[] = [
  ['drain', /scenario-worker\.ts drain$/],
  ['encode', /bench\/encode\.ts /],
];
const ROOT = 'runPipeline';
const NAMED = 3;
/** Modules of ours that are loaded as they were built, and so are known by their bytes. */
const OWN_MODULES = { engine: 'engine.wasm' };

export function shares({ nodes, samples, timeDeltas }: Profile, session: Session): Share[] {
  const modules = wasmModules(session);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  /** Nodes of the pipeline, and which of them belong to a call that is timed by itself. */
  const inside = new Map<number, string | undefined>();
  const enter = (id: number, timed: string | undefined) => {
    const { callFrame, children = [] } = byId.get(id)!;
    const within = timed ?? TIMED.find(([, where]) => where.test(`${callFrame.url} ${callFrame.functionName}`))?.[0];
    inside.set(id, within);
    for (const child of children) enter(child, within);
  };
  for (const { id, callFrame } of nodes) if (callFrame.functionName === ROOT) enter(id, undefined);
  const stages = new Map<string, Map<string, number>>();
  let total = 0;
  for (const [index, id] of samples.entries()) {
    const { functionName, url } = byId.get(id)!.callFrame;
    if (!inside.has(id) && !functionName.startsWith('(garbage')) continue;
    const spent = timeDeltas[index]!;
    const where = placeOf(functionName, url, modules);
    const stage = inside.get(id) ?? stageOf(where);
    const functions = stages.get(stage) ?? new Map<string, number>();
    stages.set(stage, functions);
    const name = url.startsWith('wasm:') ? where : `${functionName} ${url.split('/').at(-1) ?? ''}`;
    functions.set(name, (functions.get(name) ?? 0) + spent);
    total += spent;
  }
  return [...stages].map(([stage, functions]) => shareOf(stage, functions, total)).sort((a, b) => b.share - a.share);
}

function shareOf(stage: string, functions: ReadonlyMap<string, number>, total: number): Share {
  const sorted = [...functions].sort(([, a], [, b]) => b - a);
  const spent = sorted.reduce((sum, [, time]) => sum + time, 0);
  const most = sorted.slice(0, NAMED).map(([name, time]) => `${name.trim()} ${Math.round((time * 100) / total)} %`);
  return { stage, share: spent / total, functions: most };
}

function placeOf(name: string, url: string, modules: ReadonlyMap<string, string>): string {
  if (!url.startsWith('wasm:')) return url === '' ? name : url;
  return `${modules.get(url) ?? 'parser module'} ${name}`;
}

function stageOf(where: string): string {
  return STAGES.find(([, pattern]) => pattern.test(where))?.[0] ?? REST;
}

/** Names of our own modules by the URLs that the profile has for them. Asked after the profile: asking slows Wasm down. */
function wasmModules(session: Session): Map<string, string> {
  const own = Object.entries(OWN_MODULES).flatMap(([name, file]) => {
    try {
      return [[name, readFileSync(buildProduct(file))] as const];
    } catch {
      return [];
    }
  });
  const scripts: { scriptId: string; url: string }[] = [];
  session.on('Debugger.scriptParsed', ({ params }) => scripts.push(params));
  session.post('Debugger.enable');
  const modules = new Map<string, string>();
  for (const { scriptId, url } of scripts.filter((script) => script.url.startsWith('wasm:'))) {
    session.post('Debugger.getScriptSource', { scriptId }, (_, { bytecode = '' }: { bytecode?: string } = {}) => {
      const name = own.find(([, bytes]) => bytes.equals(Buffer.from(bytecode, 'base64')))?.[0];
      if (name !== undefined) modules.set(url, name);
    });
  }
  session.post('Debugger.disable');
  return modules;
}
