/** A module that the host does not take, and why, in words for its author. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}
