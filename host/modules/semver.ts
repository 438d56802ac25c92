/**
 * Precedence of versions, for "the highest version wins" and for minimum versions. Numbers are compared as digits, so
 * that none is too long to be right; build metadata does not count.
 * https://semver.org/#spec-item-11
 */

const VERSION = /^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

export function isVersion(text: string): boolean {
  return VERSION.test(text);
}

/** Negative when `a` comes before `b`, positive when after, 0 when neither. */
export function compareVersions(a: string, b: string): number {
  const [, ...left] = match(a);
  const [, ...right] = match(b);
  for (let part = 0; part < 3; part++) {
    const order = compareNumbers(left[part]!, right[part]!);
    if (order !== 0) return order;
  }
  return comparePreReleases(left[3], right[3]);
}

function match(text: string): RegExpExecArray {
  const found = VERSION.exec(text);
  if (found === null) throw new Error(`"${text}" is not a semantic version such as 1.0.0 or 1.0.0-rc.1`);
  return found;
}

/** A version with a pre-release comes before the one without. */
function comparePreReleases(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  const left = a.split('.');
  const right = b.split('.');
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const order = compareIdentifiers(left[at]!, right[at]!);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** Numbers come before words. */
function compareIdentifiers(a: string, b: string): number {
  const numeric = [a, b].map((text) => /^\d+$/.test(text));
  if (numeric[0] && numeric[1]) return compareNumbers(a, b);
  if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
  return compareText(a, b);
}

function compareNumbers(a: string, b: string): number {
  const [left, right] = [a, b].map((digits) => digits.replace(/^0+/, '')) as [string, string];
  return left.length - right.length || compareText(left, right);
}

function compareText(a: string, b: string): number {
  return Number(a > b) - Number(a < b);
}
