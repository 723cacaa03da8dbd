/** The light client in Debian's Chromium: from the genesis document over handovers to a grant, by the browser's WebCrypto. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeCertificate } from '../../firmware/src/consensus/signatures.ts';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { merklePath } from '../../firmware/src/encoding/merkle-tree.ts';
import { encodeHandover } from '../../firmware/src/handover/handover.ts';
import {
  basisId,
  blockDigest,
  encodeGenesis,
  encodeHeader,
  encodeStateProof,
  genesisBlock,
} from '../../firmware/src/ledger/index.ts';
import { basisKeys } from '../../firmware/wallet/ledger-claims.ts';
import { inBrowser } from '../support/browser-program.ts';
import { setUpWallet, wish } from '../support/wallet-set-up.ts';

/** Runs in the page; what it returns is compared here. Bytes come as hexadecimal. */
const program = `
import { fromHex } from './firmware/src/encoding/bytes.ts';
import { decodeStateProof } from './firmware/src/ledger/index.ts';
import { openCheckpoint, openGenesis } from './firmware/wallet/checkpoint.ts';
import { basisKeys, judgeBasis } from './firmware/wallet/ledger-claims.ts';
import { LightClient, valuesAt, verifyOlder } from './firmware/wallet/light-client.ts';

const flip = (hex) => hex.slice(0, -2) + (hex.endsWith('00') ? '01' : '00');

export async function follow({ chain, genesis, handovers, head, older, path, study, basis, proofs, now }) {
  const first = openGenesis(fromHex(genesis), fromHex(chain));
  const client = new LightClient(fromHex(chain), first);
  const evidence = { header: fromHex(head.header), certificate: fromHex(head.certificate) };
  const results = { early: (await client.verifyHead(evidence, now)).reason, followed: [], forged: [] };
  for (const handover of handovers) {
    // Its last byte belongs to a voting key's signature.
    results.forged.push((await client.follow(fromHex(flip(handover)), now)).reason);
    results.followed.push((await client.follow(fromHex(handover), now)).kind);
  }
  const believed = await client.verifyHead(evidence, now);
  results.head = believed.header.height;
  const cut = { ...evidence, certificate: fromHex(flip(head.certificate)) };
  results.cut = (await client.verifyHead(cut, now)).reason;
  const then = verifyOlder(believed.header, fromHex(older), path.map(fromHex));
  const keys = basisKeys(study, basis);
  const decoded = proofs.map((proof) => decodeStateProof(fromHex(proof)).proof);
  const { values, header } = valuesAt(then.header, keys, decoded);
  results.claim = judgeBasis(study, values, header.time).kind;
  results.elsewhere = valuesAt(believed.header, keys, decoded).reason;
  return results;
}

export function checkpoint({ chain, epoch, height, digest, handover }) {
  const opened = openCheckpoint({ chain: fromHex(chain), epoch, height, digest: fromHex(digest) }, fromHex(handover));
  return opened?.number ?? null;
}
`;

async function story() {
  const { consortium, wallet } = await setUpWallet('north');
  const study = await consortium.register('north', 'Thorax');
  assert.equal((await wallet.grant({ ...wish, study })).kind, 'granted');
  const basis = basisId(consortium.lastGrant);
  const then = { state: consortium.state, header: consortium.header };
  const handovers = [consortium.endEpoch(), consortium.endEpoch()];
  consortium.heartbeat();
  const { header, certificate } = consortium;
  const digests = [genesisBlock(consortium.genesis).header, ...consortium.headers].map(blockDigest);
  const path = merklePath(digests.slice(0, header.height), then.header.height);
  const proofs = basisKeys(study, basis).map((key) => then.state.prove(key));
  return {
    chain: toHex(consortium.chain),
    genesis: toHex(encodeGenesis(consortium.genesis)),
    handovers: handovers.map((handover) => toHex(encodeHandover(handover))),
    head: { header: toHex(encodeHeader(header)), certificate: toHex(encodeCertificate(certificate)) },
    height: header.height,
    older: toHex(encodeHeader(then.header)),
    path: path.map(toHex),
    study,
    basis,
    proofs: proofs.map((proof) => toHex(encodeStateProof(proof))),
    checkpoint: consortium.checkpoint(),
    now: consortium.now,
  };
}

test('a light client in the browser follows, believes and refuses as in Node', async () => {
  const told = await story();
  await inBrowser(program, async (run) => {
    assert.deepEqual(await run('follow', told), {
      early: 'later-epoch',
      forged: ['handover', 'handover'],
      followed: ['followed', 'followed'],
      head: told.height,
      cut: 'no-quorum',
      claim: 'active',
      elsewhere: 'proof',
    });
    const { chain, checkpoint } = told;
    assert.equal(await run('checkpoint', { chain, ...checkpoint, handover: told.handovers[1] }), 2);
    assert.equal(await run('checkpoint', { chain, ...checkpoint, handover: told.handovers[0] }), null);
  });
});
