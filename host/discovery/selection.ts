/**
 * Which processes are watched. The kernel decides per call by a set of process ids; this file fills the set: once
 * from /proc for what runs already, then from exec events. Forks inherit and listening ports are matched in the
 * kernel, at once; descendants of a process that is selected here are selected with it.
 */
import { basename, matchesGlob } from 'node:path';
import type { Capture } from '../../native/index.d.ts';
import type { Log } from '../self/log.ts';
import { includesPort, type PortRange } from './ports.ts';
import { listeningPorts, listProcesses, type RunningProcess } from './proc.ts';
import type { Executable } from './processes.ts';

export interface SelectionRules {
  readonly ports: readonly PortRange[];
  readonly pids: readonly number[];
  /** Globs over the executable's path; one without a slash is matched against its name. */
  readonly executables: readonly string[];
}

export function selectsEverything({ ports, pids, executables }: SelectionRules): boolean {
  return ports.length === 0 && pids.length === 0 && executables.length === 0;
}

export class Selection {
  readonly #rules: SelectionRules;
  readonly #capture: Pick<Capture, 'selectProcess' | 'selectPorts'>;
  readonly #log: Log;
  readonly #ownTgid: number;

  constructor(
    rules: SelectionRules,
    capture: Pick<Capture, 'selectProcess' | 'selectPorts'>,
    ownTgid: number,
    log: Log,
  ) {
    this.#rules = rules;
    this.#capture = capture;
    this.#ownTgid = ownTgid;
    this.#log = log;
  }

  /** Tells the kernel the ports. Call before attach, so that no listen in between is missed. */
  announcePorts(): void {
    if (this.#rules.ports.length > 0) this.#capture.selectPorts(this.#rules.ports);
  }

  /** Selects what runs already. Call after attach. Returns the number of processes selected. */
  scan(): number {
    if (selectsEverything(this.#rules)) return 0;
    const processes = listProcesses();
    const chosen = new Set(processes.filter((facts) => this.#matches(facts)).map(({ tgid }) => tgid));
    addDescendants(chosen, processes);
    chosen.delete(this.#ownTgid);
    for (const tgid of chosen) this.#select(tgid, 'runs already');
    for (const pid of this.#rules.pids) {
      if (!chosen.has(pid)) this.#log.warn({ pid }, 'no such process: nothing is captured for this --pid');
    }
    return chosen.size;
  }

  /** A process became another program: by name it may be one of ours now. */
  executed(tgid: number, path: string): void {
    const executable = { path, name: basename(path) };
    if (tgid !== this.#ownTgid && this.#matchesExecutable(executable)) this.#select(tgid, 'exec');
  }

  #matches({ tgid, executable }: RunningProcess): boolean {
    if (this.#rules.pids.includes(tgid) || this.#matchesExecutable(executable)) return true;
    return this.#rules.ports.length > 0 && listeningPorts(tgid).some((port) => includesPort(this.#rules.ports, port));
  }

  #matchesExecutable({ path, name }: Executable): boolean {
    return this.#rules.executables.some((glob) => matchesGlob(glob.includes('/') ? path : name, glob));
  }

  #select(tgid: number, reason: string): void {
    this.#capture.selectProcess(tgid, true);
    this.#log.debug({ pid: tgid, reason }, 'process selected');
  }
}

function addDescendants(chosen: Set<number>, processes: readonly RunningProcess[]): void {
  for (let before = -1; before !== chosen.size; ) {
    before = chosen.size;
    for (const { tgid, parent } of processes) if (chosen.has(parent)) chosen.add(tgid);
  }
}
