/**
 * Header fields whose values are never shown, whoever asks for them: credentials, cookies, keys and tokens, by what their
 * names say. Rule: in doubt it is a secret. That it was there, and how often, is told.
 */

/** Words that stand anywhere in a name. */
const TELLING =
  /authoriz|authentic|cookie|token|secret|passw|passphrase|credential|apikey|signature|assertion|csrf|xsrf/;
/** Words that are a part of a name of their own: `x-api-key`, but not `keep-alive`. */
const PARTS = /(^|[-_.])(auth|key|keys|sig|sign|jwt|bearer|session|sessionid|sid|otp|pin)([-_.]|$)/;

/** `name` is in lower case. */
export function isSecretHeader(name: string): boolean {
  return TELLING.test(name) || PARTS.test(name);
}
