/** The agent's version: package.json says it, and nothing else. */
import { readFileSync } from 'node:fs';

function readVersion(): string {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8'));
      if (name === 'spanwire') return version;
    } catch {
      // dist/ is one level deeper than the source tree: try the next place.
    }
  }
  return '0.0.0';
}

export const VERSION: string = readVersion();
