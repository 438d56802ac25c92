/** What `spanwire module ls` shows of the registry: a row for each file, for each shipped module, and for what drains. */
import type { Candidate } from './candidates.ts';
import type { Trust } from './trust.ts';

export type ModuleState = 'running' | 'standby' | 'refused' | 'quarantined' | 'draining';

export interface ModuleRow {
  readonly name: string;
  /** Empty where the manifest was not read. */
  readonly version: string;
  readonly digest: string;
  readonly state: ModuleState;
  /** `shipped` or the file's path. */
  readonly origin: string;
  readonly trust: Trust;
  readonly reason?: string;
  readonly loadedAt?: Date;
}

export function rowOf(candidate: Candidate, state: ModuleState, reason?: string, loadedAt?: Date): ModuleRow {
  const { name, version, digest, origin, trust } = candidate;
  return { name, version, digest, state, origin, trust, ...(reason && { reason }), ...(loadedAt && { loadedAt }) };
}

export function drainingRow(candidate: Candidate, connections: number): ModuleRow {
  return rowOf(candidate, 'draining', `${connections} connections are still on it`);
}

/** The same bytes from the same place, with the same outcome. */
export function isSameContent(a: Candidate, b: Candidate): boolean {
  return a.origin === b.origin && a.digest === b.digest && (a.module === undefined) === (b.module === undefined);
}
