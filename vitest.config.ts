/**
 * Tests in two lots: those that only compute run side by side, those that start servers and load the kernel one file
 * at a time, so that they do not disturb each other's figures on a small machine.
 */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Not in node_modules: npm ci must be able to remove that while a test runs.
  cacheDir: 'build/vitest',
  test: {
    projects: [
      {
        test: {
          name: 'alone',
          include: [
            'fuzz/**/*.test.ts',
            'test/{bench,contract,examples,export,golden,host,hostile,modules,parsers,replay,sdk}/**/*.test.ts',
          ],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'live',
          include: ['test/{kernel,e2e}/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
