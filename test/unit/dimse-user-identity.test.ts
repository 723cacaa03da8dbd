/** Who uses a peer, by PS3.7 D.3.3.7: carried to the admission as bytes, whatever they are, and so is its answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Admitted } from '../../firmware/dimse/accepted-association.ts';
import { concatBytes, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { MemoryStore } from '../support/dimse-peer.ts';
import { started } from '../support/dimse-scp-fixture.ts';
import { opened } from '../support/dimse-service-fixture.ts';

const options = { timeout: 20_000 };

/** No text of any character set: bytes of each value, several times, NULs and spaces at both ends. */
const ticket = concatBytes(
  Uint8Array.of(0, 0x20),
  ...Array.from({ length: 16 }, () => Uint8Array.from({ length: 256 }, (_, n) => n)),
  Uint8Array.of(0x20, 0),
);
const jwt = utf8('eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJyYWRpb2dyYXBoZXIifQ.c2lnbmF0dXJl');
const none = new Uint8Array(0);

for (const [name, type, primary, secondary, answer] of [
  ['a user name', 1, utf8('Müller'), none, none],
  ['a user name and passcode', 2, utf8('Müller'), Uint8Array.of(0xff, 0, 0x20), none],
  ['a Kerberos service ticket', 3, ticket, none, ticket],
  ['a SAML assertion', 4, utf8('<saml:Assertion Version="2.0"/>\r\n'), none, utf8('<saml:Response/>')],
  ['a JSON web token', 5, jwt, none, jwt],
  ['a type to come', 200, ticket, ticket, ticket],
] as const)
  test(`${name} comes to the admission byte for byte, and its answer back`, options, async () => {
    const userIdentity = { type, responseRequested: true, primary, secondary };
    const came: unknown[] = [];
    const scp = await started(new MemoryStore(), {
      admit: (request): Admitted => {
        came.push(request.userIdentity);
        return { may: new Set(['query']), userIdentityResponse: answer };
      },
    });
    const association = await opened(scp, { userIdentity });
    assert.deepEqual(came, [userIdentity]);
    assert.deepEqual(association.userIdentityResponse, answer);
    await association.release();
  });
