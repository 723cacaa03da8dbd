/** Address ranges: what administrators may write, and which addresses they hold. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { AddressRanges, isAddressRange, networkOf } from '../../firmware/src/access/address-range.ts';

const holds = (ranges: readonly string[], address: string): boolean =>
  new AddressRanges(ranges).contains(address);

test('an address alone is itself, a prefix is its network', () => {
  const table: readonly (readonly [range: string, address: string, held: boolean])[] = [
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.4', false],
    ['10.1.2.0/24', '10.1.2.255', true],
    ['10.1.2.0/24', '10.1.3.0', false],
    ['10.1.2.77/24', '10.1.2.1', true],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['10.1.2.3', '::ffff:10.1.2.3', true],
    ['fd00:1::/48', 'fd00:1:0:ffff::1', true],
    ['fd00:1::/48', 'fd00:2::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['::/0', '10.1.2.3', false],
    ['10.1.2.0/24', '', false],
    ['10.1.2.0/24', 'not an address', false],
  ];
  for (const [range, address, held] of table)
    assert.equal(holds([range], address), held, `${range} ${address}`);
  assert.equal(holds([], '10.1.2.3'), false);
  assert.equal(holds(['10.9.0.0/16', '10.1.2.3'], '10.1.2.3'), true);
});

test('what is no range is refused', () => {
  const wrong = [
    '',
    '10.1.2',
    '10.1.2.3/33',
    '10.1.2.3/-1',
    '10.1.2.3/08',
    '::/129',
    'ct1.hospital',
    '1.2.3.4 ',
    '/8',
  ];
  for (const text of wrong) {
    assert.equal(isAddressRange(text), false, text);
    assert.throws(() => new AddressRanges([text]), RangeError);
  }
});

const toNumber = (bytes: readonly number[]): bigint =>
  bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
const ipv4 = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 });
const ipv6 = fc.array(fc.nat(255), { minLength: 16, maxLength: 16 });
const ipv6Text = (bytes: readonly number[]): string =>
  Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  ).join(':');

test('ranges agree with the arithmetic of prefixes, and networks with ranges', () => {
  for (const { bytes, bits, text } of [
    { bytes: ipv4, bits: 32, text: (parts: readonly number[]) => parts.join('.') },
    { bytes: ipv6, bits: 128, text: ipv6Text },
  ]) {
    fc.assert(
      fc.property(bytes, bytes, fc.nat(bits), fc.nat(bits), (a, b, prefix, shared) => {
        // Two random addresses share no long prefix: the second takes some bits of the first.
        const drop = BigInt(bits - shared);
        const mixed = ((toNumber(a) >> drop) << drop) | (toNumber(b) & ((1n << drop) - 1n));
        const near = a.map((_, i) => Number((mixed >> BigInt(bits - 8 * (i + 1))) & 0xffn));
        const same = toNumber(a) >> BigInt(bits - prefix) === mixed >> BigInt(bits - prefix);
        assert.equal(holds([`${text(a)}/${prefix}`], text(near)), same);
        const whole = prefix - (prefix % 8);
        const wholeBits = { ipv4: whole, ipv6: whole };
        const sameNetwork = networkOf(text(a), wholeBits) === networkOf(text(near), wholeBits);
        assert.equal(sameNetwork, holds([`${text(a)}/${whole}`], text(near)));
      }),
      { seed: 31, numRuns: 400 },
    );
  }
});

test('one network, however its address is written', () => {
  const bits = { ipv4: 24, ipv6: 64 };
  assert.equal(networkOf('10.1.2.3', bits), networkOf('10.1.2.200', bits));
  assert.equal(networkOf('fd00::1', bits), networkOf('FD00:0:0:0:9::10.1.2.3', bits));
  assert.equal(networkOf('fe80::1%eth0', bits), networkOf('fe80::2', bits));
  assert.notEqual(networkOf('10.1.2.3', bits), networkOf('10.1.3.3', bits));
  assert.equal(networkOf('', bits), '');
});
