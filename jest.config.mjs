import { swcOptions } from './tools/swc-options.mjs';

/** CommonJS tests under --experimental-vm-modules load NestJS 12 (ESM only) through require(esm); needs Node >= 24.9. */
export default {
  rootDir: import.meta.dirname,
  roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '<rootDir>/test/architecture/fixtures/'],
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/', '<rootDir>/.trunkline/', '<rootDir>/.cache/'],
  testEnvironmentOptions: { customExportConditions: ['trunkline-source', 'node', 'node-addons'] },
  transform: { '^.+\\.ts$': ['@swc/jest', swcOptions('commonjs')] },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  watchman: false,
  // Real databases on a machine that does other things too: a test that hangs is still found, one that waits for a processor is not taken for one.
  testTimeout: 30_000,
};
