/** The parts of the suite, in the order in which they run: the longest is the last. Without the parts themselves, for --help. */
export const PART_NAMES = [
  'protocols',
  'stages',
  'reject',
  'otel',
  'memory',
  'workers',
  'startup',
  'live',
  'matrix',
] as const;
export type PartName = (typeof PART_NAMES)[number];
