/** Figures: medians of rounds with the quarters around them, by name. What the suite measures ends up as these. */
import { median, quantile } from '../table.ts';

export interface Figure {
  /** Part, what, and unit: stable from one version to the next. */
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  /** The quarters around the median. */
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
  /** False where more is better. */
  readonly lessIsBetter: boolean;
}

const MORE_IS_BETTER: readonly string[] = ['pairs/s', 'requests/s', '× one', '× ours'];

export function figure(name: string, unit: string, values: readonly number[]): Figure {
  return {
    name,
    unit,
    median: median(values),
    low: quantile(values, 0.25),
    high: quantile(values, 0.75),
    rounds: values.length,
    lessIsBetter: !MORE_IS_BETTER.includes(unit),
  };
}

/** 12, 1.2 or 0.012: three digits that tell. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return Number(value.toPrecision(3)).toString();
}

export function withQuarters({ median, low, high }: Figure): string {
  return `${short(median)} (${short(low)}–${short(high)})`;
}
