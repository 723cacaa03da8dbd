/** Commands of the offline root about restart orders. */
import type { Command } from 'commander';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import type { Abstaining, SignedRestartOrder } from '../../firmware/src/restart/restart-order.ts';
import { digest, forgetful, wholeNumber } from './arguments.ts';
import { readBytes, readText, writeNew } from './files.ts';
import { openKeyFile } from './key-file.ts';
import { restartFloorAheadDefault } from './limits.ts';
import { combinedRestart, describeRestart, readRestart, restartBytes, signedRestart } from './restart.ts';
import type { RootTerminal } from './terminal.ts';

interface RestartOptions {
  readonly chain: Uint8Array;
  readonly epoch: number;
  readonly height: number;
  readonly digest: Uint8Array;
  readonly view: number;
  readonly reached: number;
  readonly abstaining: readonly Abstaining[];
  readonly out: string;
}

interface SignOptions {
  readonly institution: string;
  readonly index: number;
  readonly key: string;
  readonly out: string;
}

export function addRestartCommands(program: Command, terminal: RootTerminal): void {
  const tell = (order: SignedRestartOrder): void => {
    for (const line of describeRestart(order)) terminal.out(line);
  };

  program
    .command('restart')
    .description('write the order with which a ledger that stands still goes on')
    .requiredOption('--chain <digest>', 'of the ledger', digest)
    .requiredOption('--epoch <number>', 'in which it stands still', wholeNumber)
    .requiredOption('--height <number>', 'of the block to go on from', wholeNumber)
    .requiredOption('--digest <digest>', 'of that block', digest)
    .requiredOption('--view <number>', 'of that block', wholeNumber)
    .requiredOption('--reached <number>', 'the highest "reachedView" that any box tells', wholeNumber)
    .requiredOption(
      '--abstaining <ids>',
      'hospitals whose boxes have forgotten, each with the start it tells: a=3,b=7',
      forgetful,
    )
    .requiredOption('--out <file>', 'the order')
    .action(async ({ out, abstaining, reached, ...block }: RestartOptions) => {
      // After an earlier order boxes may have voted above its floor.
      const floor = Math.max(block.view, reached) + restartFloorAheadDefault;
      const bytes = restartBytes({ order: { ...block, floor, abstaining }, signatures: [] });
      tell(readRestart(bytes));
      await writeNew(out, bytes);
    });

  program
    .command('show-restart')
    .description('say what an order does, and who has signed it')
    .argument('<order>', 'its file')
    .action(async (path: string) => tell(readRestart(await readBytes(path))));

  program
    .command('sign-restart')
    .description('sign an order with the key of one custodian')
    .argument('<order>', 'its file')
    .requiredOption('--institution <id>', 'the hospital of the custodian')
    .requiredOption('--index <number>', 'of the key in its root, from 0 on', wholeNumber)
    .requiredOption('--key <file>', 'of the custodian')
    .requiredOption('--out <file>', 'the signed order')
    .action(async (path: string, { institution, index, key, out }: SignOptions) => {
      const order = readRestart(await readBytes(path));
      tell(order);
      if ((await terminal.ask(`Type ${institution} to sign this: `)).trim() !== institution)
        throw new AppError('DOCUMENT_INVALID', 'Nothing was signed.');
      const opened = openKeyFile(await readText(key), await terminal.askSecret('Passphrase: '));
      await writeNew(out, restartBytes(signedRestart(order, opened, { institution, index })));
      terminal.out(`Signed with ${toHex(opened.publicKey)}.`);
    });

  program
    .command('combine-restart')
    .description('put the signatures of several copies together, for hilum restart')
    .argument('<orders...>', 'their files')
    .requiredOption('--out <file>', 'the order as boxes take it')
    .action(async (paths: readonly string[], { out }: { readonly out: string }) => {
      const copies: SignedRestartOrder[] = [];
      for (const path of paths) copies.push(readRestart(await readBytes(path)));
      const combined = combinedRestart(copies);
      tell(combined);
      await writeNew(out, restartBytes(combined));
    });
}
