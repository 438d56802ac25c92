/** Addresses as RFC 5952 writes them; for any address the reference is the platform's URL serializer. */
import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addPeerAttributes, addressText, type Endpoint } from '../../host/spans/endpoint.ts';
import type { Attributes } from '../../host/spans/span.ts';

const V4 = 2;
const V6 = 10;

function v6(groups: readonly number[]): string {
  return addressText(Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])), V6);
}

describe('addressText', () => {
  test('IPv4', () => {
    expect(addressText(Uint8Array.of(192, 0, 2, 1, ...new Array(12).fill(9)), V4)).toBe('192.0.2.1');
  });

  test.each([
    [[0, 0, 0, 0, 0, 0, 0, 0], '::'],
    [[0, 0, 0, 0, 0, 0, 0, 1], '::1'],
    [[0x2001, 0xdb8, 0, 0, 0, 0, 2, 1], '2001:db8::2:1'],
    [[0x2001, 0xdb8, 0, 1, 1, 1, 1, 1], '2001:db8:0:1:1:1:1:1'],
    [[0x2001, 0, 0, 1, 0, 0, 0, 1], '2001:0:0:1::1'],
    [[0x2001, 0xdb8, 0, 0, 1, 0, 0, 1], '2001:db8::1:0:0:1'],
    [[0xfe80, 0, 0, 0, 0, 0, 0, 0], 'fe80::'],
    [[0x2001, 0xdb8, 0xaaaa, 0xbbbb, 0xcccc, 0xdddd, 0xeeee, 0x0aaa], '2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaa'],
    [[0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201], '192.0.2.1'],
  ])('%j is %s', (groups, text) => {
    expect(v6(groups)).toBe(text);
  });

  test('a family that is none has no text', () => {
    expect(addressText(new Uint8Array(16), 0)).toBe('');
  });

  test('any IPv6 address is written as URLs write it', () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const url = new URL(`http://[${groups.map((one) => one.toString(16)).join(':')}]/`);
        const text = v6(groups);
        if (isIP(text) === 6) expect(`[${text}]`).toBe(url.hostname);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('addPeerAttributes', () => {
  const endpoint: Endpoint = {
    localAddress: '10.0.0.1',
    localPort: 80,
    remoteAddress: '10.0.0.2',
    remotePort: 5000,
  };
  const told = (one: Endpoint, isServer: boolean) => {
    const attributes: Attributes = {};
    addPeerAttributes(attributes, one, isServer);
    return attributes;
  };

  test('the server tells of its client', () => {
    expect(told(endpoint, true)).toEqual({
      'server.address': '10.0.0.1',
      'server.port': 80,
      'client.address': '10.0.0.2',
      'client.port': 5000,
      'network.peer.address': '10.0.0.2',
      'network.peer.port': 5000,
    });
  });

  test('the client tells of its server', () => {
    expect(told(endpoint, false)).toEqual({
      'server.address': '10.0.0.2',
      'server.port': 5000,
      'network.peer.address': '10.0.0.2',
      'network.peer.port': 5000,
    });
  });

  test('an unknown peer is not told', () => {
    expect(told({ ...endpoint, remoteAddress: '' }, true)).toEqual({});
  });
});
