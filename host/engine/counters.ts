/** What the engine has counted goes to the counters that all read. */
import { C, type CounterId, type Counters } from '../self/counters.ts';
import type { Engine } from './engine.ts';
import * as layout from './layout/counters.ts';

const PREFIX = 'COUNT_';

/** By place in the engine’s memory: the counter’s index. */
const INDEX: number[] = [];
for (const [name, place] of Object.entries(layout)) {
  if (name.startsWith(PREFIX)) INDEX[place] = C[name.slice(PREFIX.length).toLowerCase() as CounterId];
}

/** Adds what was counted since the last time. Call after each poll, and wherever else the engine was at work. */
export function takeCounters(engine: Engine, counters: Counters): void {
  const { f64 } = engine;
  for (let place = 0; place < INDEX.length; place++) {
    const index = INDEX[place];
    const at = (layout.COUNTERS >>> 3) + place;
    if (index === undefined || f64[at] === 0) continue;
    counters[index]! += f64[at]!;
    f64[at] = 0;
  }
}
