/** Guessing passwords: each wrong one costs more time, for an account from anywhere and for an address at any account. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  loginBackOffMsMax,
  loginBackOffMsMin,
  loginFailureMemoryMsMax,
  loginFailuresFreeMax,
  loginThrottleEntriesMax,
} from '../../firmware/src/http/limits.ts';
import { addressGroup, LoginThrottle } from '../../firmware/src/http/login-throttle.ts';
import { ManualClock } from '../support/manual-clock.ts';

test('after the free tries, the wait doubles up to its bound', () => {
  const clock = new ManualClock();
  const throttle = new LoginThrottle(clock);
  for (let i = 0; i < loginFailuresFreeMax; i++) {
    assert.equal(throttle.waitMs('rita', '10.0.0.1'), 0);
    throttle.attempted('rita', '10.0.0.1');
  }
  let expected = loginBackOffMsMin;
  for (let i = 0; i < 12; i++) {
    assert.equal(throttle.waitMs('rita', '10.0.0.1'), 0);
    throttle.attempted('rita', '10.0.0.1');
    assert.equal(throttle.waitMs('rita', '10.0.0.1'), expected);
    clock.advance(expected);
    expected = Math.min(loginBackOffMsMax, expected * 2);
  }
});

test('an account is locked from every address, and an address for every account', () => {
  const throttle = new LoginThrottle(new ManualClock());
  for (let i = 0; i <= loginFailuresFreeMax; i++) throttle.attempted('rita', `10.0.0.${i}`);
  assert.ok(throttle.waitMs('rita', '192.0.2.9') > 0);
  assert.equal(throttle.waitMs('otto', '192.0.2.9'), 0);
  for (let i = 0; i <= loginFailuresFreeMax; i++) throttle.attempted(`name${i}`, '192.0.2.9');
  assert.ok(throttle.waitMs('otto', '192.0.2.9') > 0);
  assert.equal(throttle.waitMs('otto', '192.0.2.10'), 0);
});

test('many tries at once count one by one', () => {
  const throttle = new LoginThrottle(new ManualClock());
  let looked = 0;
  for (let i = 0; i < 100; i++) {
    if (throttle.waitMs('rita', '10.0.0.1') > 0) continue;
    throttle.attempted('rita', '10.0.0.1');
    looked += 1;
  }
  assert.equal(looked, loginFailuresFreeMax + 1);
});

test('a login clears the account, but of its address only itself', () => {
  const clock = new ManualClock();
  const throttle = new LoginThrottle(clock);
  for (let i = 0; i < loginFailuresFreeMax; i++) throttle.attempted('victim', '10.0.0.1');
  throttle.attempted('guesser', '10.0.0.1');
  throttle.succeeded('guesser', '10.0.0.1');
  assert.equal(throttle.waitMs('guesser', '10.0.0.1'), 0);
  throttle.attempted('other', '10.0.0.1');
  assert.ok(throttle.waitMs('other', '10.0.0.1') > 0);
  throttle.succeeded('victim', '10.0.0.2');
  throttle.attempted('victim', '10.0.0.2');
  assert.equal(throttle.waitMs('victim', '10.0.0.2'), 0);
});

test('failures are forgotten in time', () => {
  const clock = new ManualClock();
  const throttle = new LoginThrottle(clock);
  for (let i = 0; i < loginFailuresFreeMax; i++) throttle.attempted('rita', '10.0.0.1');
  clock.advance(loginFailureMemoryMsMax);
  throttle.attempted('rita', '10.0.0.1');
  assert.equal(throttle.waitMs('rita', '10.0.0.1'), 0);
});

test('what is remembered is bounded, and the newest stays', () => {
  const throttle = new LoginThrottle(new ManualClock());
  for (let i = 0; i <= loginFailuresFreeMax; i++) throttle.attempted('old', '10.0.0.1');
  for (let i = 0; i < loginThrottleEntriesMax; i++) throttle.attempted(`name${i}`, `address${i}`);
  for (let i = 0; i <= loginFailuresFreeMax; i++) throttle.attempted('new', '10.0.0.2');
  assert.equal(throttle.waitMs('old', '10.9.9.9'), 0);
  assert.ok(throttle.waitMs('new', '10.9.9.9') > 0);
});

test('the addresses of one IPv6 network are one, and a mapped IPv4 address is IPv4', () => {
  assert.equal(addressGroup('2001:db8:1:2::1'), addressGroup('2001:db8:1:2:ffff:0:0:9'));
  assert.equal(addressGroup('2001:db8::1'), '2001:db8:0:0::/64');
  assert.equal(addressGroup('fe80::1%eth0'), 'fe80:0:0:0::/64');
  assert.equal(addressGroup('::1'), '0:0:0:0::/64');
  assert.notEqual(addressGroup('2001:db8:1:2::1'), addressGroup('2001:db8:1:3::1'));
  assert.equal(addressGroup('::ffff:10.0.0.1'), '10.0.0.1');
});
