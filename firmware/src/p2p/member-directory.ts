import { generateKeyPairFromSeed, publicKeyFromRaw } from '@libp2p/crypto/keys';
import type { Ed25519PrivateKey, PeerId } from '@libp2p/interface';
import { peerIdFromPublicKey } from '@libp2p/peer-id';
import type { Institution } from '../ledger/types.ts';

export interface Member {
  readonly institution: Institution;
  readonly peerId: PeerId;
}

/** The libp2p identity of a box: its Ed25519 transport key. @param seed 32 bytes. */
export async function transportIdentity(seed: Uint8Array): Promise<Ed25519PrivateKey> {
  return generateKeyPairFromSeed('Ed25519', seed);
}

/** The libp2p peer id that follows from a transport key (Ed25519, 32 bytes). */
export function peerIdOf(transportKey: Uint8Array): PeerId {
  return peerIdFromPublicKey(publicKeyFromRaw(transportKey));
}

/** The other members as the ledger names them, found by institution or by proven peer id. */
export class MemberDirectory {
  readonly #byInstitution = new Map<string, Member>();
  readonly #byPeerId = new Map<string, Member>();

  constructor(members: readonly Institution[], self: string) {
    for (const institution of members) {
      if (institution.id === self) continue;
      const member = { institution, peerId: peerIdOf(institution.keys.transport) };
      this.#byInstitution.set(institution.id, member);
      this.#byPeerId.set(member.peerId.toString(), member);
    }
  }

  members(): Iterable<Member> {
    return this.#byInstitution.values();
  }

  byInstitution(id: string): Member | undefined {
    return this.#byInstitution.get(id);
  }

  byPeerId(peerId: PeerId): Member | undefined {
    return this.#byPeerId.get(peerId.toString());
  }
}
