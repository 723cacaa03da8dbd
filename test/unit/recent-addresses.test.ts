/** What a box remembers of strangers: for a while, and of so many at most. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { strangerHoldMs, strangersRememberedMax } from '../../firmware/src/attesting/limits.ts';
import { RecentAddresses } from '../../firmware/src/attesting/recent-addresses.ts';

test('an address is remembered for a while from the last time on, and then forgotten', () => {
  const addresses = new RecentAddresses();
  addresses.add('192.0.2.1', 1_000);
  addresses.add('192.0.2.2', 2_000);
  addresses.add('192.0.2.1', 3_000);
  assert.equal(addresses.has('192.0.2.2', 2_000 + strangerHoldMs - 1), true);
  assert.equal(addresses.has('192.0.2.2', 2_000 + strangerHoldMs), false);
  assert.equal(addresses.has('192.0.2.1', 2_000 + strangerHoldMs), true);
  assert.equal(addresses.isEmpty(3_000 + strangerHoldMs), true);
});

test('of too many the oldest is forgotten', () => {
  const addresses = new RecentAddresses();
  for (let at = 0; at <= strangersRememberedMax; at++) addresses.add(`2001:db8::${at}`, at);
  assert.equal(addresses.has('2001:db8::0', strangersRememberedMax), false);
  assert.equal(addresses.has('2001:db8::1', strangersRememberedMax), true);
  addresses.delete('2001:db8::1');
  assert.equal(addresses.has('2001:db8::1', strangersRememberedMax), false);
});
