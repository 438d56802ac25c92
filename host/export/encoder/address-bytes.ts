/** The addresses of an endpoint as the kernel tells them, from their text: what addressText of host/spans/endpoint.ts undoes. */

const INET = 2;
const INET6 = 10;
/** Each of the two. */
const ADDRESS_BYTES = 16;

/** An endpoint that is not known has no text, and no family. */
export function addressBytes(local: string, remote: string): { family: number; addresses: Uint8Array } {
  const addresses = new Uint8Array(2 * ADDRESS_BYTES);
  if (remote === '') return { family: 0, addresses };
  const family = local.includes(':') || remote.includes(':') ? INET6 : INET;
  addresses.set(bytesOf(local, family), 0);
  addresses.set(bytesOf(remote, family), ADDRESS_BYTES);
  return { family, addresses };
}

function bytesOf(text: string, family: number): Uint8Array {
  if (text.includes(':')) return groupsOf(text);
  const octets = text.split('.').map(Number);
  // Beside an address of version 6 it stands for its mapped form.
  return Uint8Array.from(family === INET ? octets : [...new Array<number>(10).fill(0), 0xff, 0xff, ...octets]);
}

function groupsOf(text: string): Uint8Array {
  const [before, after] = text.split('::').map((side) => (side === '' ? [] : side.split(':'))) as [string[], string[]?];
  const zeroes = new Array<string>(8 - before.length - (after?.length ?? 0)).fill('0');
  const groups = [...before, ...zeroes, ...(after ?? [])].map((group) => Number.parseInt(group, 16));
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}
