/** Resource attributes that the environment adds to every process's. */
import type { Attributes } from '../spans/span.ts';

/**
 * OTEL_RESOURCE_ATTRIBUTES: `key=value,key=value`, values percent-encoded. A malformed list is ignored as a whole, as
 * https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable asks.
 */
export function resourceAttributes(environment: NodeJS.ProcessEnv): Attributes {
  const attributes: Attributes = {};
  const text = environment.OTEL_RESOURCE_ATTRIBUTES ?? '';
  for (const pair of text.split(',').filter((one) => one.trim() !== '')) {
    const equals = pair.indexOf('=');
    const key = pair.slice(0, equals).trim();
    if (equals < 1 || key === '') return {};
    try {
      attributes[key] = decodeURIComponent(pair.slice(equals + 1).trim());
    } catch {
      return {};
    }
  }
  return attributes;
}
