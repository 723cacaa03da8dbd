/** What the ledger's refusals of proposals, votes and replacements mean, for the person who acted. */
const words: Readonly<Record<string, string>> = {
  'unknown-institution': 'No such hospital is a member.',
  'institution-exists': 'This hospital is a member already.',
  'institution-keys-expired': 'The certificate of the keys has run out: renew them first.',
  'too-many-institutions': 'The consortium is full.',
  'last-institution': 'The last member cannot be removed.',
  'last-validator': 'The last validator cannot be removed.',
  'already-a-validator': 'It is to validate already.',
  'not-a-validator': 'It does not validate.',
  'too-many-validators': 'There are as many validators as there may be.',
  'proposal-exists': 'The very same proposal stands already.',
  'too-many-proposals': 'Too many proposals are open: wait until some are decided.',
  'valid-too-long': 'It is valid for longer than it can be voted on.',
  'unknown-proposal': 'There is no such proposal.',
  'proposal-closed': 'It is decided, or its time has passed.',
  'already-voted': 'This hospital has voted on it already.',
  'bad-key': 'One of its keys is no safe key.',
  'bad-certificate': 'Its identity key did not certify these keys.',
  'bad-possession': 'One of its keys did not sign that it belongs to it, on this ledger.',
  'key-in-use': 'One of its keys, or its TPM, is in use already, here or by another member.',
  'bad-signature': 'A signature is wrong, or one is missing.',
  'version-stale': 'It was made for an earlier record of this hospital: it may have been used before.',
  'version-gap': 'It was made for a later record of this hospital.',
  'wrong-chain': 'It was made for another ledger.',
  'not-canonical': 'This is no signed document.',
  'wrong-shape': 'This is no signed document.',
  'too-large': 'This is too long to be a signed document.',
  expired: 'Its time has passed: it must be made and signed anew.',
};

export function inWords(reason: string): string {
  return words[reason] ?? `The ledger refuses it: ${reason}.`;
}
