/**
 * Which spans are kept, by the names that OpenTelemetry gives its samplers; the engine decides (engine/assembly/sampler.ts).
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration
 */
import type { Config } from '../config.ts';

export const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

export type SamplerName = (typeof SAMPLERS)[number];

export interface Sampler {
  /** A parent that the request names decides for its children. */
  readonly followsParent: boolean;
  /** Kept are traces whose id, its words XORed, is below. */
  readonly bound: number;
}

/** What OpenTelemetry's SDKs do when nobody says otherwise. */
export const DEFAULT_SAMPLER = 'parentbased_always_on';
const ALL = 2 ** 32;
const RATIO_DEFAULT = '1';

/** The one that the configuration asks for. */
export function samplerOf({ sampler, samplerArg }: Pick<Config, 'sampler' | 'samplerArg'>): Sampler {
  return createSampler(sampler, samplerArg);
}

/** Throws when `argument` is not what the sampler takes; those without a ratio take anything. */
export function createSampler(name: SamplerName, argument?: string): Sampler {
  const root = name.replace('parentbased_', '');
  const bound = root === 'always_on' ? ALL : root === 'always_off' ? 0 : boundOf(argument?.trim() || RATIO_DEFAULT);
  return { followsParent: root !== name, bound };
}

/** As OpenTelemetry's JavaScript SDK has it, so that services that are asked for the same ratio keep the same traces. */
function boundOf(argument: string): number {
  const ratio = Number(argument);
  if (!(ratio >= 0 && ratio <= 1)) throw new Error(`"${argument}" is not a ratio from 0 to 1`);
  return ratio === 1 ? ALL : Math.floor(ratio * (ALL - 1));
}
