/** The console's built pages over a fake box, and browsers that look at them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { buildConsole } from '../../firmware/console/build.ts';
import { launchChromium } from './chromium.ts';
import { ConsoleFixture, type FixtureParts } from './console-fixture.ts';

export class ConsolePages {
  readonly #folder: string;
  readonly #browser: Browser;
  box: ConsoleFixture;

  private constructor(folder: string, browser: Browser, box: ConsoleFixture) {
    this.#folder = folder;
    this.#browser = browser;
    this.box = box;
  }

  static async open(): Promise<ConsolePages> {
    const folder = await mkdtemp(join(tmpdir(), 'hilum-page-'));
    await buildConsole(folder);
    const browser = await launchChromium();
    return new ConsolePages(folder, browser, await ConsoleFixture.start({ consoleDistDir: folder }));
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.box.stop();
    await rm(this.#folder, { recursive: true });
  }

  /** Another box with the same pages, in the place of the one before. */
  async restart(parts: FixtureParts): Promise<void> {
    this.box = await ConsoleFixture.start({ ...parts, consoleDistDir: this.#folder });
  }

  /** A browser of its own; what its page complains of is kept. */
  async page(): Promise<{ page: Page; complaints: string[] }> {
    // Self-signed by design; wallets pin it, and people confirm it once.
    const context = await this.#browser.newContext({ ignoreHTTPSErrors: true, reducedMotion: 'reduce' });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 40[139]/.test(message.text()))
        complaints.push(message.text());
    });
    await page.goto(`https://127.0.0.1:${this.box.server.port}/`);
    return { page, complaints };
  }

  async logIn(page: Page, name: string, password: string): Promise<void> {
    await page.getByLabel('Account', { exact: true }).fill(name);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Log in' }).click();
  }
}
