/**
 * What the configuration tells modules: values by the name of a setting, such as the header fields to capture. A module
 * hears only of those that its manifest names, as lines `name value` (docs/abi.md, "Settings").
 */
import type { Config } from '../config.ts';

export type Settings = ReadonlyMap<string, readonly string[]>;

export const NO_SETTINGS: Settings = new Map();

/** Header fields to capture, of requests and responses; metadata of gRPC goes by the same lists. */
export const REQUEST_HEADERS = 'http.request.header';
export const RESPONSE_HEADERS = 'http.response.header';

const utf8 = new TextEncoder();

/** What parser modules are told of the configuration. */
export function settingsOf({
  captureRequestHeaders,
  captureResponseHeaders,
}: Pick<Config, 'captureRequestHeaders' | 'captureResponseHeaders'>): Settings {
  return new Map([
    [REQUEST_HEADERS, captureRequestHeaders],
    [RESPONSE_HEADERS, captureResponseHeaders],
  ]);
}

/** What `configure` gets to read. */
export function settingsText(settings: Settings, names: readonly string[]): Uint8Array {
  const lines = names.flatMap((name) => (settings.get(name) ?? []).map((value) => `${name} ${value}\n`));
  return utf8.encode(lines.join(''));
}

/** All values of several settings, each once. */
export function joinSettings(all: readonly Settings[]): Settings {
  const joined = new Map<string, readonly string[]>();
  for (const [name, values] of all.flatMap((one) => [...one])) {
    joined.set(name, [...new Set([...(joined.get(name) ?? []), ...values])]);
  }
  return joined;
}
