/**
 * Memory of the process beyond what the stages hold: what start-up leaves, and what malloc keeps. A worker's young
 * generation is bounded where it is started (workers.ts).
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { addon } from '../kernel/addon.ts';

/** Call before much is allocated. */
export function keepHeapLean(): void {
  addon.keepHeapLean();
}

/**
 * Gives back what malloc has free, of all threads: columns that grew leave their former selves between blocks that stay.
 * Takes 0.2 to 1.3 ms.
 */
export function trimHeap(): void {
  addon.trimHeap();
}

/**
 * Gives back what only start-up of this thread needed: the garbage of loading and admission, and the young generation that
 * grew with it. V8 would keep both, because an idle thread gives it no cause to collect. Takes some 30 ms.
 */
export function releaseStartUp(): void {
  // The one way to a full collection without a command-line flag: it shows in contexts made while the flag is set.
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: object) => void;
  setFlagsFromString('--no-expose-gc');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  trimHeap();
}
