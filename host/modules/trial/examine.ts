/**
 * The golden cases and all properties on one parser, one after the other, with a line of report for each: what
 * `spanwire module test` runs. Needs fast-check, as properties.ts does.
 */
import { under } from './cases.ts';
import { Harness } from './harness.ts';
import type { Parser } from './parser.ts';
import { type Effort, PROPERTIES } from './properties.ts';
import { checkCase } from './replay.ts';

export interface Finding {
  readonly title: string;
  readonly ms: number;
  readonly remark?: string | undefined;
  /** Why it does not hold; absent when it does. */
  readonly failure?: string | undefined;
}

/** Findings as they come. */
export function* examine(parser: Parser, others: readonly Parser[], effort: Effort): Generator<Finding> {
  yield attempt(`golden cases (${parser.cases.length})`, () => checkCases(parser));
  for (const { title, run } of PROPERTIES) yield attempt(title, () => run(parser, others, effort));
}

function attempt(title: string, run: () => string | undefined): Finding {
  const start = performance.now();
  try {
    const remark = run();
    return { title, remark, ms: performance.now() - start };
  } catch (error) {
    return { title, ms: performance.now() - start, failure: explain(error as Error) };
  }
}

/** fast-check tells the counterexample and how to run it again, its cause what was wrong. */
function explain({ message, cause }: Error): string {
  return cause instanceof Error && !message.includes(cause.message) ? `${message}\n${cause.message}` : message;
}

function checkCases(parser: Parser): undefined {
  const failures = parser.cases.flatMap((one) => {
    const difference = checkCase(new Harness(under(parser, one)), one);
    return difference === undefined ? [] : [`${one.file}: "${one.title}": ${difference}`];
  });
  if (failures.length > 0) throw new Error(failures.join('\n'));
}
