/** The names under which a box is its own console, by where it listens and where a request arrived. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import test from 'node:test';
import { ownOrigins } from '../../firmware/src/http/own-origins.ts';

const arrivedAt = (localAddress: string, localPort: number) => ({ localAddress, localPort }) as Socket;

test('without names of its own a box answers to the address that it listens on', () => {
  const at = (host: string, port = 4003) => ownOrigins(host)(arrivedAt(host, port));
  assert.deepEqual(at('10.0.0.7'), ['https://10.0.0.7:4003']);
  assert.deepEqual(at('10.0.0.7', 443), ['https://10.0.0.7']);
  assert.deepEqual(at('127.0.0.1'), ['https://127.0.0.1:4003', 'https://localhost:4003']);
  assert.deepEqual(at('::1'), ['https://[::1]:4003', 'https://localhost:4003']);
});

test('on every interface it answers to the address that was reached', () => {
  assert.deepEqual(ownOrigins('0.0.0.0')(arrivedAt('10.0.0.7', 4003)), ['https://10.0.0.7:4003']);
  assert.deepEqual(ownOrigins('::')(arrivedAt('::ffff:10.0.0.7', 4003)), ['https://10.0.0.7:4003']);
  assert.deepEqual(ownOrigins('::')(arrivedAt('2001:db8::7', 4003)), ['https://[2001:db8::7]:4003']);
});

test('with names of its own it answers to them alone', () => {
  const origins = ownOrigins('0.0.0.0', ['https://Hilum.Northgate.example:443']);
  assert.deepEqual(origins(arrivedAt('10.0.0.7', 443)), ['https://hilum.northgate.example']);
});
