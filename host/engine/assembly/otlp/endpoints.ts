/**
 * Endpoints as attributes, encoded once and copied from then on: whoever is at an address and port is told as the server,
 * as the client and as the peer. An entry holds all that it was made from, so it is never another's. An address and port
 * have two places; what is new takes one of them in turn, but never that of the endpoint asked for last.
 */
import {
  ENDPOINT_SET_BITS,
  ENDPOINT_SIZE,
  ENDPOINTS,
  PROTOCOL_CLIENT_ADDRESS_KEY,
  PROTOCOL_CLIENT_PORT_KEY,
  PROTOCOL_KEYS,
  PROTOCOL_PEER_ADDRESS_KEY,
  PROTOCOL_PEER_PORT_KEY,
  PROTOCOL_SERVER_ADDRESS_KEY,
  PROTOCOL_SERVER_PORT_KEY,
} from '../../layout/otlp';
import { ADDRESS_MAX, writeAddress } from './address';
import { writeInt, writeText } from './values';

// An entry: the address (16 bytes), port and family (u32), where each attribute ends and the length of the address as
// text (u16 each), the attributes.
const SOCKET: usize = 16;
const ENDS: usize = 20;
const TEXT_LENGTH: usize = 32;
const ATTRIBUTES: usize = 34;

// The attributes, in this order: an address each, and its port. Their names are the same in all protocols.
export const AS_SERVER: usize = 0;
export const AS_CLIENT: usize = 2;
export const AS_PEER: usize = 4;

const text: usize = memory.data(ADDRESS_MAX + 16);
let turn: usize = 0;
let last: usize = 0;

/** The entry of an address of 16 bytes, and port and family as `socketOf` has them. */
export function endpointOf(address: usize, socket: u32, protocol: usize): usize {
  let entry = <usize>ENDPOINTS + setOf(address, socket) * (2 * ENDPOINT_SIZE);
  if (!isOf(entry, address, socket)) {
    entry += ENDPOINT_SIZE;
    if (!isOf(entry, address, socket)) entry = replace(entry, address, socket, protocol);
  }
  last = entry;
  return entry;
}

/** Families are not 0, but those of places that were never taken are. */
export function socketOf(port: u32, family: u32): u32 {
  return port | (family << 16);
}

/** Where an attribute begins, and the one before it ends. */
export function attributeAt(entry: usize, attribute: usize): usize {
  return entry + ATTRIBUTES + (attribute == 0 ? 0 : load<u16>(entry + (attribute << 1), ENDS - 2));
}

/** The address as the value of a TEXT. */
export function textOf(entry: usize): u64 {
  const length = <usize>load<u16>(entry, TEXT_LENGTH);
  return <u64>(attributeAt(entry, 1) - length) | ((<u64>length) << 32);
}

export function portOf(entry: usize): u64 {
  return load<u16>(entry, SOCKET);
}

function setOf(address: usize, socket: u32): usize {
  const low = load<u64>(address) * 0x9e37_79b9_7f4a_7c15;
  const mixed = (low ^ (low >> 29) ^ load<u64>(address, 8) ^ socket) * 0xbf58_476d_1ce4_e5b9;
  return <usize>(mixed >> (64 - ENDPOINT_SET_BITS));
}

function isOf(entry: usize, address: usize, socket: u32): bool {
  return load<u32>(entry, SOCKET) == socket && i8x16.all_true(i8x16.eq(v128.load(entry), v128.load(address)));
}

/** Encodes the endpoint into one of the two places of which `second` is the second. */
function replace(second: usize, address: usize, socket: u32, protocol: usize): usize {
  turn ^= ENDPOINT_SIZE;
  if (second - turn == last) turn ^= ENDPOINT_SIZE;
  const entry = second - turn;
  v128.store(entry, v128.load(address));
  store<u32>(entry, socket, SOCKET);
  const length = writeAddress(text, address, socket >> 16) - text;
  store<u16>(entry, <u16>length, TEXT_LENGTH);
  encode(entry, AS_SERVER, length, protocol, PROTOCOL_SERVER_ADDRESS_KEY, PROTOCOL_SERVER_PORT_KEY);
  encode(entry, AS_CLIENT, length, protocol, PROTOCOL_CLIENT_ADDRESS_KEY, PROTOCOL_CLIENT_PORT_KEY);
  encode(entry, AS_PEER, length, protocol, PROTOCOL_PEER_ADDRESS_KEY, PROTOCOL_PEER_PORT_KEY);
  return entry;
}

/** Address and port as a pair of attributes. */
function encode(entry: usize, as: usize, length: usize, protocol: usize, addressKey: usize, portKey: usize): void {
  const keys = <usize>load<u32>(protocol, PROTOCOL_KEYS);
  let to = attributeAt(entry, as);
  to = writeText(to, keys, load<u16>(protocol + addressKey), text, length);
  endAt(entry, as, to);
  endAt(entry, as + 1, writeInt(to, keys, load<u16>(protocol + portKey), portOf(entry)));
}

function endAt(entry: usize, attribute: usize, end: usize): void {
  store<u16>(entry + (attribute << 1), <u16>(end - entry - ATTRIBUTES), ENDS);
}
