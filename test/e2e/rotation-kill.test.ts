/** A box that is killed while it rotates its keys: what the ledger names it can sign with, and it rotates again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConsortiumView } from '../../firmware/src/http/consortium-contract.ts';
import { ConsoleRefused, type ConsoleClient } from '../../provisioning/demo/console-client.ts';
import { waitFor } from '../../provisioning/demo/waiting.ts';
import { LoneBox } from '../support/lone-box.ts';

/** When the power goes, after a person asked: while the keys are made, sealed, proposed, final. */
const cutsMs = [15, 120, 400];
const patienceSeconds = 60;

async function version(client: ConsoleClient): Promise<number> {
  const { members } = await client.call<ConsortiumView>('GET', '/api/v1/consortium');
  return members.find(({ isSelf }) => isSelf)?.version ?? assert.fail('the box is a member');
}

/** Whether an answer comes or the box dies first: what the ledger names is seen after the next start. */
async function rotate(client: ConsoleClient): Promise<void> {
  try {
    await client.call('POST', '/api/v1/keys/rotate');
  } catch (failure) {
    if (failure instanceof ConsoleRefused) throw failure;
  }
}

test('a box whose rotation was cut short signs with what the ledger names, and rotates again', async (t) => {
  const box = await LoneBox.makeMember(t, 'ashdown');
  let client = await box.startFirst();
  for (const cutMs of cutsMs) {
    const asked = rotate(client);
    await delay(cutMs);
    await box.process.kill();
    await asked;
    await box.process.start();
    client = await box.logIn();
    // A rotation that becomes final is a transaction that was signed by the key that the ledger names.
    const before = await version(client);
    await rotate(client);
    const again = client;
    await waitFor('the next rotation on the ledger', patienceSeconds, async () =>
      (await version(again)) > before ? true : undefined,
    );
  }
});
