/** What a TPM noted when it made an object: TPMS_CREATION_DATA (part 2, 15.1). */
import { concatBytes, u16, u32 } from '../../src/encoding/bytes.ts';
import { sha256 } from '../../src/encoding/hash.ts';
import { algorithm, reservedHandle } from './constants.ts';
import { WireReader } from './reader.ts';

/** Qualified Name of the key under which it was made: by it, keys of equal Names in two hierarchies are told apart. */
export function parentQualifiedName(creationData: Uint8Array): Uint8Array {
  const reader = new WireReader(creationData);
  for (let left = reader.u32(); left > 0; left--) {
    reader.u16(); // hash of a bank
    reader.bytes(reader.u8()); // its registers
  }
  reader.sized(); // digest of the registers
  reader.u8(); // locality
  reader.u16(); // algorithm of the parent's Name
  reader.sized(); // the parent's Name
  const qualified = reader.sized();
  reader.sized(); // what the caller noted
  reader.end();
  return qualified;
}

/** Of a primary key of the owner's hierarchy with this Name (part 1, section 16). */
export function ownersQualifiedName(name: Uint8Array): Uint8Array {
  return concatBytes(u16(algorithm.sha256), sha256(concatBytes(u32(reservedHandle.owner), name)));
}
