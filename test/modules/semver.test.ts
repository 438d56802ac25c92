/** host/modules/semver.ts against the examples and rules of https://semver.org/#spec-item-11. */
import { expect, test } from 'vitest';
import { compareVersions, isVersion } from '../../host/modules/semver.ts';

const ASCENDING = [
  '0.9.9',
  '1.0.0-1',
  '1.0.0-2',
  '1.0.0-10',
  '1.0.0-alpha',
  '1.0.0-alpha.1',
  '1.0.0-alpha.beta',
  '1.0.0-beta',
  '1.0.0-beta.2',
  '1.0.0-beta.11',
  '1.0.0-rc.1',
  '1.0.0',
  '1.0.1',
  '1.2.0',
  '1.10.0',
  '2.0.0',
  '9007199254740993.0.0',
  '9007199254740994.0.0',
  '18446744073709551616.0.0',
];

test('every version comes before all that follow it, and after none', () => {
  ASCENDING.forEach((a, at) => {
    ASCENDING.forEach((b, other) => {
      expect(Math.sign(compareVersions(a, b)), `${a} and ${b}`).toBe(Math.sign(at - other));
    });
  });
});

test('build metadata does not count', () => {
  expect(compareVersions('1.0.0+b', '1.0.0+a')).toBe(0);
});

test('what is no version is not taken for one', () => {
  for (const text of ['', '1', '1.0', 'v1.0.0', '1.0.0 ', '1.0.0-', '-1.0.0', '1.0.0-ä']) {
    expect(isVersion(text), text).toBe(false);
    expect(() => compareVersions(text, '1.0.0'), text).toThrow('is not a semantic version');
  }
});
