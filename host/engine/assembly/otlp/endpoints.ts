/** Who talks to whom, as attributes: address and port of the server, and of the client that asks it; and of the peer. */
import {
  INT,
  KEY_HEAD_LENGTH,
  PROTOCOL_CLIENT_ADDRESS_KEY,
  PROTOCOL_PEER_ADDRESS_KEY,
  PROTOCOL_SERVER_ADDRESS_KEY,
  PROTOCOL_SHARED,
  TEXT,
} from '../../layout/otlp';
import { ROW_ADDRESSES, ROW_FAMILY, ROW_LOCAL_PORT, ROW_REMOTE_PORT } from '../../layout/spans';
import { ADDRESS_MAX, isKnown, putAddress } from './address';
import { copyBytes, spreadLength } from './protobuf';
import { claim, textValue, writeShortInt, writeTextHead } from './values';

/** The text that stands in `localText`: of which address it is, of which family, and how long. */
const localAddress: usize = memory.data(16, 16);
let localFamily: u32 = 0;
let localLength: usize = 0;
const localText: usize = memory.data(ADDRESS_MAX, 16);
const remoteText: usize = memory.data(ADDRESS_MAX, 16);

/** Those that nobody else set. */
export function setPeer(to: usize, row: u32, protocol: usize, isServer: bool): usize {
  const family = <u32>load<u8>(ROW_FAMILY + row);
  if (!isKnown(family)) return to;
  const local: usize = ROW_ADDRESSES + (row << 5);
  const shared = <u32>load<u8>(protocol, PROTOCOL_SHARED);
  const length = putAddress(remoteText, local + 16, family);
  const port = <u32>load<u16>(ROW_REMOTE_PORT + (row << 1));
  if (isServer) {
    const localPort = <u32>load<u16>(ROW_LOCAL_PORT + (row << 1));
    putLocal(local, family);
    to = setEndpoint(to, protocol + PROTOCOL_SERVER_ADDRESS_KEY, shared, localText, localLength, localPort);
    to = setEndpoint(to, protocol + PROTOCOL_CLIENT_ADDRESS_KEY, shared >> 2, remoteText, length, port);
  } else to = setEndpoint(to, protocol + PROTOCOL_SERVER_ADDRESS_KEY, shared, remoteText, length, port);
  return setEndpoint(to, protocol + PROTOCOL_PEER_ADDRESS_KEY, shared >> 4, remoteText, length, port);
}

/** Servers have few addresses of their own: mostly it is the one that stands there already. */
function putLocal(address: usize, family: u32): void {
  const bytes = v128.load(address);
  if (family == localFamily && i8x16.all_true(i8x16.eq(bytes, v128.load(localAddress)))) return;
  v128.store(localAddress, bytes);
  localFamily = family;
  localLength = putAddress(localText, address, family);
}

/** Address and port, whose keys stand side by side at `keys`; of both attributes all is short. */
function setEndpoint(to: usize, keys: usize, shared: u32, text: usize, length: usize, port: u32): usize {
  const address = <usize>load<u32>(keys);
  const portKey = <usize>load<u32>(keys, 4);
  if ((shared & 1) == 0 || claim(address, TEXT, textValue(text, length))) {
    to = writeTextHead(to, address, load<u16>(address, KEY_HEAD_LENGTH), length);
    copyBytes(to, text, length);
    to += length;
  }
  if ((shared & 2) != 0 && !claim(portKey, INT, port)) return to;
  return writeShortInt(to, portKey, port, spreadLength(port));
}
