/** Whether a page is for everybody: as far as axe and the width of a phone can tell. */
import assert from 'node:assert/strict';
import axe from 'axe-core';
import type { Page } from 'playwright-core';

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

const widths = [360, 1440];
const schemes = ['light', 'dark'] as const;

/** WCAG 2.2 AA as far as axe can tell, and nothing wider than the screen, on phone and desk, light and dark. */
export async function assertForEverybody(page: Page, place: string): Promise<void> {
  for (const width of widths) {
    for (const colorScheme of schemes) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      const where = `${place}, ${width} px, ${colorScheme}`;
      // Evaluated by the debugger, which the page's content security policy does not bind.
      await page.evaluate(axe.source);
      const options =
        "{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }";
      const { violations } = await page.evaluate<AxeResult>(`axe.run(document, ${options})`);
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
      assert.deepEqual(found, [], where);
      const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      assert.ok(overflow <= 0, `${where}: ${overflow} px wider than the screen`);
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 });
}
