/**
 * The two parsers of the worked protocol: examples/parser-ask built by our build, examples/parser-in-c by its Makefile.
 * Both carry the same golden cases.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { casesTextOf, loadParser, type Parser } from '../../host/modules/trial/parser.ts';
import { compileParser, packModule } from '../../parsers/build.ts';

const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples');
const IN_C = join(EXAMPLES, 'parser-in-c');

export async function loadExamples(): Promise<{ ask: Parser; inC: Parser }> {
  const [ask, bare] = await Promise.all([compileParser(join(EXAMPLES, 'parser-ask')), makeParserInC()]);
  const manifest = readFileSync(join(IN_C, 'manifest.json'), 'utf8');
  return { ask: loadParser(ask), inC: loadParser(packModule(bare, manifest, casesTextOf(ask))) };
}

/** In a folder of its own, so that test files can do it at once. */
async function makeParserInC(): Promise<Uint8Array> {
  const build = mkdtempSync(join(tmpdir(), 'spanwire-ask-c-'));
  try {
    const file = join(build, 'ask-c.bare.wasm');
    await promisify(execFile)('make', ['-C', IN_C, `BUILD=${build}`, file]);
    return readFileSync(file);
  } finally {
    rmSync(build, { recursive: true, force: true });
  }
}
