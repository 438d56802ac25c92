/**
 * A test that cannot run here says why. CI has everything, so there the reason is a failure: a test that is skipped and
 * seen by nobody is no test.
 */
export function sayUnavailable(what: string, reason: string): void {
  if (process.env.CI === 'true') throw new Error(`${what} cannot be tested: ${reason}`);
  process.stderr.write(`SKIPPED ${what}: ${reason}\n`);
}
