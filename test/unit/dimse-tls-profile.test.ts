/** The name in a certificate, of which the access list may make a rule. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commonNameIn } from '../../firmware/dimse/tls-profile.ts';

test('a common name is read as it stands in the certificate, its special characters too', () => {
  assert.equal(commonNameIn('C=DE\nO=Hospital\nCN=ct-1.hospital.example'), 'ct-1.hospital.example');
  assert.equal(commonNameIn('CN=CT\\, room\\+1 \\"old\\" \\<a\\> \\; \\\\'), 'CT, room+1 "old" <a> ; \\');
  assert.equal(commonNameIn('CN=line\\0Abreak'), 'line\nbreak');
});

test('without a common name, or with several, there is none', () => {
  assert.equal(commonNameIn('O=Hospital'), undefined);
  assert.equal(commonNameIn('CN=a\nCN=b'), undefined);
  assert.equal(commonNameIn('CN=a + CN=b'), undefined);
  assert.equal(commonNameIn(''), undefined);
});
