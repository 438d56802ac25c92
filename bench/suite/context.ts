/** What the parts of the suite share: how much is asked for, where results go, what they say meanwhile. */
import type { Parser } from '../../host/modules/trial/parser.ts';
import { progress } from '../table.ts';
import { type Figure, figure } from './figures.ts';
import type { Headline } from './result.ts';
import type { RingKind } from './rig.ts';

export interface Effort {
  readonly rounds: number;
  /** The thread's CPU time in a round. */
  readonly roundMs: number;
  readonly warmUpMs: number;
}

export class Context {
  readonly figures: Figure[] = [];
  readonly notes: string[] = [];
  readonly tables: string[] = [];
  readonly headline: Headline = {};
  readonly effort: Effort;
  readonly isQuick: boolean;
  readonly ring: RingKind;
  readonly parsers: readonly Parser[];
  /** Shows a table as soon as it is there. */
  readonly #show: (table: string) => void;

  constructor(
    effort: Effort,
    { isQuick, ring, parsers, show }: Pick<Context, 'isQuick' | 'ring' | 'parsers'> & { show: (table: string) => void },
  ) {
    this.effort = effort;
    this.isQuick = isQuick;
    this.ring = ring;
    this.parsers = parsers;
    this.#show = show;
  }

  figure(name: string, unit: string, values: readonly number[]): Figure {
    const made = figure(name, unit, values);
    this.figures.push(made);
    return made;
  }

  table(title: string, text: string): void {
    const where = this.ring === 'memory' ? ' [no BPF here: records in ordinary memory, no ring]' : '';
    this.#show(`${title}${where}\n${text}\n\n`);
  }

  note(text: string): void {
    this.notes.push(text);
    progress(`NOTE: ${text}`);
  }

  progress(text: string): void {
    progress(text);
  }
}
