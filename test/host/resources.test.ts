/** Numbers of resources: rows of a batch that still fills may refer to one whose connections have ended. */
import { expect, test } from 'vitest';
import { RESOURCES_MAX } from '../../host/engine/layout/spans.ts';
import { Resources } from '../../host/spans/resources.ts';

const [SHOP, CART, BANK] = ['shop', 'cart', 'bank'].map((name) => ({ attributes: { 'service.name': name } }));

test('connections of one process have one number, others another', () => {
  const resources = new Resources();
  const shop = resources.acquire(SHOP!);
  const cart = resources.acquire(CART!);
  expect(resources.acquire(SHOP!)).toBe(shop);
  expect(new Set([0, shop, cart]).size).toBe(3);
  expect([shop, cart].map((number) => resources.at(number))).toEqual([SHOP, CART]);
  expect(resources.at(0)).toEqual({ attributes: {} });
});

test('a number that somebody else has stays, until it is free', () => {
  const resources = new Resources();
  let isMeasured = true;
  const shop = resources.acquire(SHOP!);
  resources.keepWhile((number) => isMeasured && number === shop);
  for (let i = 0; i < 3; i++) {
    resources.release(shop);
    resources.recycle();
    expect(resources.at(shop)).toBe(SHOP);
    expect(resources.acquire(CART!)).not.toBe(shop);
    expect(resources.acquire(SHOP!)).toBe(shop);
  }
  resources.release(shop);
  isMeasured = false;
  resources.recycle();
  expect(resources.acquire(BANK!)).toBe(shop);
});

test('more resources than there are numbers: the last ones have none of their own', () => {
  const resources = new Resources();
  for (let i = 1; i < RESOURCES_MAX; i++) resources.acquire({ attributes: { i } });
  const one = { attributes: { i: 0 } };
  expect([resources.acquire(one), resources.acquire(one)]).toEqual([0, 0]);
  resources.release(0);
  resources.release(0);
  resources.recycle();
  expect(resources.at(0)).toEqual({ attributes: {} });
});

test('a number is given anew when no connection has it and the batch is gone, not before', () => {
  const resources = new Resources();
  const shop = resources.acquire(SHOP!);
  resources.acquire(SHOP!);
  resources.release(shop);
  resources.recycle();
  expect(resources.acquire(CART!)).not.toBe(shop);
  resources.release(shop);
  expect(resources.at(shop)).toBe(SHOP);
  expect(resources.acquire(BANK!)).not.toBe(shop);
  resources.recycle();
  const next = { attributes: {} };
  expect(resources.acquire(next)).toBe(shop);
  expect(resources.at(shop)).toBe(next);
});

test('one that comes back before the batch is gone keeps its number, however often', () => {
  const resources = new Resources();
  const shop = resources.acquire(SHOP!);
  for (let i = 0; i < 3; i++) {
    resources.release(shop);
    expect(resources.acquire(SHOP!)).toBe(shop);
  }
  resources.recycle();
  expect(resources.at(shop)).toBe(SHOP);
  for (let i = 0; i < 3; i++) {
    resources.release(shop);
    resources.acquire(SHOP!);
  }
  resources.release(shop);
  resources.recycle();
  expect([SHOP, CART, BANK].map((one) => resources.acquire(one!)).toSorted()).toEqual([1, 2, 3]);
});
