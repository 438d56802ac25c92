/**
 * What may run under a module's name: the shipped module and every watched file, judged once for each content. The order
 * of the checks is the order of what they expose: digest and signature see only bytes, admission compiles, acceptance
 * runs code of the module in its sandbox. A file that is not trusted is not even parsed.
 */
import { basename } from 'node:path';
import { compare } from 'semver';
import { admitModule, digestOf, type ParserModule } from '../wasm/admit.ts';
import { judgeOrigin, judgeVersion, type Trust, type TrustRules } from './trust.ts';
import { type FileChange, MODULE_EXTENSION } from './watch.ts';

export const SHIPPED = 'shipped';
/** Below every folder. */
const SHIPPED_RANK = -1;

export interface Candidate {
  /** As the manifest says it; of the file where the manifest was not read. */
  readonly name: string;
  /** Empty where the manifest was not read. */
  readonly version: string;
  readonly digest: string;
  /** SHIPPED or the file's path. */
  readonly origin: string;
  /** Of equal versions the higher rank wins: the position of the folder. */
  readonly rank: number;
  readonly trust: Trust;
  /** Why it is refused; where it has a module, a warning. */
  readonly reason?: string;
  /** Absent: refused. */
  readonly module?: ParserModule;
}

export type Admitted = Candidate & { readonly module: ParserModule };

/** Replays the module's golden cases; the reason of a refusal, or undefined. */
export type Accept = (bytes: Uint8Array<ArrayBuffer>, module: ParserModule) => Promise<string | undefined>;

export interface Judgement {
  readonly rules: TrustRules;
  readonly accept: Accept;
  /** The module of this digest, where it has passed admission and acceptance before. */
  readonly known: (digest: string) => ParserModule | undefined;
}

export function isAdmitted(candidate: Candidate): candidate is Admitted {
  return candidate.module !== undefined;
}

export function shippedCandidate(module: ParserModule): Admitted {
  const { name, version } = module.manifest;
  return { name, version, digest: module.digest, origin: SHIPPED, rank: SHIPPED_RANK, trust: SHIPPED, module };
}

/** Never rejects: whatever is wrong with the file is the reason of its refusal. */
export async function judgeFile(file: FileChange, judgement: Judgement): Promise<Candidate> {
  const { path, folder } = file;
  const unread = { name: basename(path, MODULE_EXTENSION), version: '', digest: '', origin: path, rank: folder };
  if (!('bytes' in file)) {
    const reason = file.kind === 'unreadable' ? `cannot be read: ${file.reason}` : 'is gone';
    return { ...unread, trust: 'untrusted', reason };
  }
  const digest = digestOf(file.bytes);
  const { accepted, trust, reason } = judgeOrigin(judgement.rules, file.bytes, file.signature);
  if (!accepted) return withReason({ ...unread, digest, trust }, reason);
  try {
    const module = judgement.known(digest) ?? (await admit(file.bytes, judgement.accept));
    return judgeAdmitted({ ...unread, digest, trust, module }, judgement.rules, reason);
  } catch (error) {
    return { ...unread, digest, trust, reason: (error as Error).message };
  }
}

async function admit(bytes: Uint8Array<ArrayBuffer>, accept: Accept): Promise<ParserModule> {
  const module = admitModule(bytes);
  const reason = await accept(bytes, module);
  if (reason !== undefined) throw new Error(`not accepted: ${reason}`);
  return module;
}

function judgeAdmitted(candidate: Admitted, rules: TrustRules, warning: string | undefined): Candidate {
  const { module, ...rest } = candidate;
  const { name, version } = module.manifest;
  const tooOld = judgeVersion(rules, name, version);
  if (tooOld !== undefined && rules.policy === 'enforce') return { ...rest, name, version, reason: tooOld };
  return withReason({ ...candidate, name, version }, [warning, tooOld].filter(Boolean).join('; ') || undefined);
}

function withReason(candidate: Candidate, reason: string | undefined): Candidate {
  return reason === undefined ? candidate : { ...candidate, reason };
}

/** Positive when `a` is to be preferred: higher version, later folder, later name; what ships with the agent last. */
export function compareCandidates(a: Candidate, b: Candidate): number {
  return compare(a.version, b.version) || a.rank - b.rank || Number(a.origin > b.origin) - Number(a.origin < b.origin);
}

export function bestOf(candidates: readonly Admitted[]): Admitted | undefined {
  return candidates.toSorted(compareCandidates).at(-1);
}
