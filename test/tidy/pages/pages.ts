/** The pages under docs/ that are written from tables of the code. */
import { configurationPage } from './configuration-page.ts';
import { conformancePage } from './conformance-page.ts';
import { errorsPage } from './errors-page.ts';
import { limitsPage } from './limits-page.ts';

export const pages: Readonly<Record<string, () => string | Promise<string>>> = {
  'docs/configuration.md': configurationPage,
  'docs/conformance-statement.md': conformancePage,
  'docs/errors.md': errorsPage,
  'docs/limits.md': limitsPage,
};
