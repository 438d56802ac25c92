/**
 * The parsers under test, found and not listed: those that ship, and the templates of `spanwire module new`. Built when
 * stale, metered as in the agent, loaded once per test file. SPANWIRE_PARSERS=redis,template/line narrows them to those,
 * for work on one of them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadParser, type Parser, readCases } from '../host/modules/trial/parser.ts';
import { type BuiltParser, buildParsers, findParsers, findTemplates } from '../parsers/build.ts';

export type { Parser } from '../host/modules/trial/parser.ts';

/** The parsers that ship. */
export function loadParsers(): Promise<Parser[]> {
  return load(findParsers());
}

/** Not part of the agent, and held to the same properties: what is made of them begins with these. */
export function loadTemplates(): Promise<Parser[]> {
  return load(findTemplates());
}

async function load(all: readonly string[]): Promise<Parser[]> {
  const wanted = process.env.SPANWIRE_PARSERS?.split(',');
  const built = await buildParsers(all.filter((one) => wanted?.includes(one) ?? true));
  return built.map(read);
}

function read({ name, folder, file }: BuiltParser): Parser {
  return loadParser(new Uint8Array(readFileSync(file)), readCases(join(folder, 'cases'), name));
}
