/** A program of ours in Chromium, as a console or a wallet would hold it. */
import assert from 'node:assert/strict';
import { build } from 'esbuild';
import { launchChromium } from './chromium.ts';

/** Calls a function that the program exports, in the browser; arguments and answers are JSON. */
export type CallInBrowser = (name: string, argument: unknown) => Promise<unknown>;

/** Bundles the program (TypeScript, imports relative to the repository) and runs the body beside it. */
export async function inBrowser(
  program: string,
  body: (call: CallInBrowser) => Promise<void>,
): Promise<void> {
  const bundle = await build({
    stdin: { contents: program, loader: 'ts', resolveDir: new URL('../..', import.meta.url).pathname },
    bundle: true,
    format: 'iife',
    globalName: 'program',
    platform: 'browser',
    write: false,
    logLevel: 'silent',
  });
  const script = bundle.outputFiles[0]?.text;
  assert.ok(script);
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    // WebCrypto needs a secure context; this one is answered here and never leaves the machine.
    await page.route('https://page.test/', (route) =>
      route.fulfill({ contentType: 'text/html', body: '<title>Page</title>' }),
    );
    await page.goto('https://page.test/');
    await page.addScriptTag({ content: script });
    await body((name, argument) => page.evaluate(`program.${name}(${JSON.stringify(argument)})`));
  } finally {
    await browser.close();
  }
}
