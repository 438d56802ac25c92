/** The configuration is wrong: exit code 2, with words for the user. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
