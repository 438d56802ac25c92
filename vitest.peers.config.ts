/** `npm run test:peers`: programs of others that come from registries beside npm and Debian, one after the other. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  cacheDir: 'build/vitest-peers',
  test: {
    include: ['test/peers/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 600_000,
    fileParallelism: false,
  },
});
