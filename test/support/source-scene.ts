/** A source of releases, as those who ask it see it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { verifyEd25519 } from '../../firmware/src/box/signatures.ts';
import { idBytes, openId, signingMessage } from '../../firmware/src/ledger/index.ts';
import type { AccessClose, AccessGrant, AccessOpen } from '../../firmware/src/ledger/types.ts';
import { closingDigest, recogniseGrant, type RecognisedGrant } from '../../firmware/src/protocol/grants.ts';
import { Disclosures } from '../../firmware/src/release/disclosures.ts';
import { receiptValidMs } from '../../firmware/src/release/limits.ts';
import {
  encodeReceiptRequest,
  encodeReleaseAnswer,
  encodeStreamRequest,
  heldDigest,
  releaseProtocol,
  streamMessage,
} from '../../firmware/src/release/messages.ts';
import { OpenSessions } from '../../firmware/src/release/open-sessions.ts';
import { OpenShares } from '../../firmware/src/release/open-shares.ts';
import { ReleaseSource } from '../../firmware/src/release/source.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import type { ObjectKept } from '../../firmware/src/studies/manifest.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { bytesOf } from '../fakes/ledger.ts';
import type { MemoryNetwork } from '../fakes/network.ts';
import { MemoryStore } from './memory-store.ts';
import { ReleaseWorld } from './release-world.ts';
import { settle } from './until.ts';

export const exporter = bytesOf('exporter');

/** A source at north that is asked by south and east, and can be killed: what is in its store is left. */
export class SourceScene {
  readonly world = new ReleaseWorld();
  readonly store = new MemoryStore();
  readonly network: MemoryNetwork = this.world.hub.join('north');
  readonly askers = new Map(['south', 'east'].map((id) => [id, this.world.hub.join(id)]));
  disclosures = new Disclosures(this.store, this.world.clock);
  readonly suspended = new Set<string>();
  readonly shares = new OpenShares();
  readonly health = new MemoryHealthBoard();
  sessions = new OpenSessions(this.store);
  source = this.#make();

  #make(): ReleaseSource {
    return new ReleaseSource({
      self: 'north',
      ledger: this.world.ledger,
      network: this.network,
      catalogue: this.world.catalogue,
      sessions: this.sessions,
      shares: this.shares,
      disclosures: this.disclosures,
      signer: this.world.fixture.box('north').transaction,
      suspends: (member) => this.suspended.has(member),
      verify: verifyEd25519,
      health: this.health,
      clock: this.world.clock,
      logger: silentLogger,
    });
  }

  static async start(): Promise<SourceScene> {
    const scene = new SourceScene();
    await scene.source.start();
    return scene;
  }

  /** As by kill -9 and a new start: only what is in the store is left. */
  async restart(): Promise<void> {
    await this.source.stop();
    this.disclosures = new Disclosures(this.store, this.world.clock);
    await this.disclosures.load();
    this.sessions = new OpenSessions(this.store);
    await this.sessions.load();
    this.source = this.#make();
    await this.source.start();
  }

  send(request: Uint8Array, asker = 'south'): Promise<Uint8Array> {
    const network = this.askers.get(asker);
    assert.ok(network !== undefined);
    return network.request('north', releaseProtocol, request);
  }

  /** What was answered, and after how many milliseconds of the clock. */
  async ask(
    request: Uint8Array,
    asker = 'south',
  ): Promise<{ readonly answer: Uint8Array; readonly afterMs: number }> {
    this.world.ledger.finalise();
    const askedAt = this.world.clock.now();
    let answered: { readonly answer: Uint8Array; readonly afterMs: number } | undefined;
    const waiting = this.send(request, asker).then((answer) => {
      answered = { answer, afterMs: this.world.clock.now() - askedAt };
    });
    for (let ms = 0; answered === undefined && ms <= 3_000; ms += 100) {
      await settle();
      if (answered === undefined) this.world.clock.advance(100);
    }
    await waiting;
    assert.ok(answered !== undefined);
    return answered;
  }

  /** Drives the stream under an open to its end. */
  async stream(
    open: AccessOpen,
    grantee: RecognisedGrant,
    change: {
      readonly institution?: string;
      readonly exporter?: Uint8Array;
      readonly held?: readonly ObjectKept[];
    } = {},
  ) {
    const id = idBytes(openId(open));
    const signature = await grantee.signer.sign(streamMessage(id, exporter));
    const cuts: string[] = [];
    const { held = [] } = change;
    const frames = await this.source.serve({
      institution: change.institution ?? 'south',
      exporter: change.exporter ?? exporter,
      body: encodeStreamRequest({
        openId: id,
        skip: held.length,
        held: heldDigest(held.map(({ instanceKey }) => instanceKey)),
        signature,
      }),
      cut: () => cuts.push('cut'),
    });
    return { frames, cuts };
  }
}

/** As an honest grantee asks for it, but for the change. */
export async function openRequest(
  scene: SourceScene,
  study: KeptStudy,
  grant: AccessGrant,
  change: Partial<AccessOpen> = {},
): Promise<{ readonly open: AccessOpen; readonly bytes: Uint8Array; readonly grantee: RecognisedGrant }> {
  const grantee = recogniseGrant(scene.world.account('south'), grant);
  assert.ok(grantee !== undefined);
  const head = scene.world.record(study)?.commitment ?? bytesOf('');
  const validUntil = scene.world.clock.now() + receiptValidMs;
  const open = { ...scene.world.fixture.openBody('north', grant, 1, head, { validUntil }), ...change };
  const signature = await grantee.signer.sign(signingMessage(open));
  return { open, grantee, bytes: encodeReceiptRequest({ body: open, signature, tweak: grantee.tweak }) };
}

/** As an honest grantee asks for it, but for the change. */
export async function closeRequest(
  scene: SourceScene,
  study: KeptStudy,
  open: AccessOpen,
  grantee: RecognisedGrant,
  change: Partial<AccessClose> = {},
): Promise<Uint8Array> {
  const id = idBytes(openId(open));
  const body: AccessClose = {
    ...scene.world.fixture.closeBody(open),
    digest: closingDigest(grantee.tweak, id, open.head),
    sizeBucket: Math.ceil(Math.log2(study.bytes)),
    validUntil: scene.world.clock.now() + receiptValidMs,
    ...change,
  };
  const signature = await grantee.signer.sign(signingMessage(body));
  return encodeReceiptRequest({ body, signature, tweak: grantee.tweak });
}

export const refusedAnswer = encodeReleaseAnswer({ kind: 'refused' });

/** South was granted a study of two objects. */
export async function granted(): Promise<{ scene: SourceScene; study: KeptStudy; grant: AccessGrant }> {
  const scene = await SourceScene.start();
  const study = await scene.world.registeredStudy('1.2.3', [randomBytes(50), randomBytes(60)]);
  return { scene, study, grant: await scene.world.grant(study, 'south') };
}
