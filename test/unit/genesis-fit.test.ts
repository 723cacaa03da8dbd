/** Which genesis documents a box works by. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertGenesisFits } from '../../firmware/src/box/genesis-fit.ts';
import type { Config } from '../../firmware/src/config.ts';
import type { Genesis, Institution } from '../../firmware/src/ledger/types.ts';
import { boxOf, bytesOf, institutionOf, LedgerFixture, signerOf } from '../fakes/ledger.ts';

const own = institutionOf(boxOf('north'), 0);
const { genesis: production } = new LedgerFixture();

/** The same consortium, as whoever put its document together wrote it. */
function documentWith(change: Partial<Institution> = {}, development = true): Genesis {
  const institutions = production.institutions.map((each) =>
    each.id === own.id ? { ...each, ...change } : each,
  );
  return { ...production, institutions, development };
}

interface Told {
  readonly tpm?: Pick<Config, 'tpm'>['tpm'];
  readonly handedIn?: Institution | undefined;
  readonly identity?: Uint8Array;
}

const simulator: Config['tpm'] = { kind: 'swtpm', device: '/dev/tpmrm0', swtpmDir: '/nowhere' };
const device: Config['tpm'] = { ...simulator, kind: 'device' };

function fits(genesis: Genesis, { tpm = simulator, identity = own.keys.identity, ...told }: Told = {}) {
  const handedIn = 'handedIn' in told ? told.handedIn : own;
  return assertGenesisFits(genesis, { tpm }, { identityPublicKey: identity }, () =>
    Promise.resolve(handedIn),
  );
}

const invalid = (message: RegExp) => ({ code: 'GENESIS_INVALID', message });

test('a box with a software TPM works in no production consortium', async () => {
  await fits(documentWith());
  await fits(documentWith({}, false), { tpm: device });
  await assert.rejects(fits(documentWith({}, false)), invalid(/production consortium.*tpm\.kind: swtpm/));
});

test('a founder works by no document that names another offline root or account for it than it handed in', async () => {
  const { keys } = own.root;
  const changes: readonly Partial<Institution>[] = [
    { root: { keys, threshold: 1 } },
    { root: { keys: [...keys, signerOf('whoever put it together').publicKey], threshold: 2 } },
    { root: { keys: [], threshold: 0 } },
    { account: { ...own.account, view: bytesOf('the view of another') } },
    { account: { ...own.account, spend: signerOf('another').publicKey } },
  ];
  for (const change of changes)
    await assert.rejects(
      fits(documentWith(change)),
      invalid(/another offline root for north than it handed in/),
    );
  // They may have agreed on another address, or spelled the name anew.
  await fits(
    documentWith({ name: 'Northern Hospital', endpoints: { ...own.endpoints, plane: '192.0.2.1:1' } }),
  );
});

test('what is said of other boxes, and what was handed in since, is not held against the document', async () => {
  const changed = documentWith({ root: { keys: [], threshold: 0 } });
  await fits(changed, { identity: institutionOf(boxOf('the next box of north'), 0).keys.identity });
  // Its root was replaced, and it enrolled again with the new one for the ledger that there was.
  await fits(changed, { handedIn: institutionOf(boxOf('north'), 0, bytesOf('chain')) });
  await fits(changed, { handedIn: undefined });
});
