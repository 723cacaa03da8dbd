/** The linter: types, floating promises, exhaustive switches, and what the pure rooms may not use. */
import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Rooms that stay synchronous and deterministic: no I/O, no clock, no randomness, nothing to wait for. */
const deterministicRooms = [
  'firmware/src/encoding/**/*.ts',
  'firmware/src/ledger/**/*.ts',
  'firmware/src/consensus/**/*.ts',
];

/** Rooms without Node that may wait, because WebCrypto answers by promises, and use its random bytes. */
const browserRooms = [
  'firmware/src/attestation/**/*.ts',
  'firmware/src/protocol/**/*.ts',
  'firmware/wallet/**/*.ts',
];

const impureGlobals = [
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'process',
  'fetch',
  'Buffer',
  'console',
];

/**
 * `X+$` is tried anew at each X of a run, and peers send long runs: quadratic. Only a pattern that begins with `^` and has
 * no alternatives is tried once.
 */
const quadraticPattern = {
  selector: 'Literal[regex.pattern=/^(?:[^^].*|.*[|].*)[+*][?)]*[$]/s]',
  message: 'Quadratic in what it reads: scan from the end (encoding/padding.ts).',
};

export default defineConfig(
  { ignores: ['node_modules', '**/dist', '.hilum'] },
  js.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      eqeqeq: ['error', 'always'],
    },
  },
  {
    files: ['firmware/**/*.ts', 'firmware/**/*.tsx'],
    rules: { 'no-restricted-syntax': ['error', quadraticPattern] },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // node:test returns promises that the runner itself awaits.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            {
              from: 'package',
              package: 'node:test',
              name: ['test', 'it', 'describe', 'suite', 'before', 'after', 'beforeEach', 'afterEach'],
            },
          ],
        },
      ],
      // Fakes implement asynchronous ports without having anything to wait for.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: [...deterministicRooms, ...browserRooms],
    rules: {
      'no-restricted-globals': ['error', ...impureGlobals],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random' }],
    },
  },
  {
    files: deterministicRooms,
    rules: {
      'no-restricted-globals': ['error', ...impureGlobals, 'crypto'],
      'no-restricted-syntax': [
        'error',
        { selector: 'AwaitExpression', message: 'This room is synchronous.' },
        quadraticPattern,
        { selector: ':function[async=true]', message: 'This room is synchronous.' },
      ],
    },
  },
  {
    files: ['**/*.mjs', 'eslint.config.js'],
    languageOptions: {
      globals: {
        AbortController: 'readonly',
        URL: 'readonly',
        clearInterval: 'readonly',
        console: 'readonly',
        process: 'readonly',
        setInterval: 'readonly',
      },
    },
  },
);
