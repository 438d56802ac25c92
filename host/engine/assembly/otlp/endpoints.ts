/** Who talks to whom, as attributes: address and port of the server, and of the client that asks it; and of the peer. */
import {
  INT,
  PROTOCOL_CLIENT_ADDRESS_KEY,
  PROTOCOL_PEER_ADDRESS_KEY,
  PROTOCOL_SERVER_ADDRESS_KEY,
  PROTOCOL_SERVER_PORT_KEY,
  PROTOCOL_SHARED,
  TEXT,
} from '../../layout/otlp';
import { ROW_ADDRESSES, ROW_FAMILY, ROW_LOCAL_PORT, ROW_REMOTE_PORT } from '../../layout/spans';
import { ADDRESS_MAX, isKnown, putAddress } from './address';
import { copyBytes, spreadLength } from './protobuf';
import { claim, writeShortInt, writeTextHead } from './values';

/** From the key of an address to that of its port. */
const PORT: usize = PROTOCOL_SERVER_PORT_KEY - PROTOCOL_SERVER_ADDRESS_KEY;

const localText: usize = memory.data(ADDRESS_MAX, 16);
const remoteText: usize = memory.data(ADDRESS_MAX, 16);

/** Those that nobody else set. */
export function setPeer(to: usize, keys: usize, row: u32, protocol: usize, isServer: bool): usize {
  const family = <u32>load<u8>(ROW_FAMILY + row);
  if (!isKnown(family)) return to;
  const local: usize = ROW_ADDRESSES + (row << 5);
  const length = putAddress(remoteText, local + 16, family);
  const port = <u32>load<u16>(ROW_REMOTE_PORT + (row << 1));
  if (isServer) {
    const localPort = <u32>load<u16>(ROW_LOCAL_PORT + (row << 1));
    const localLength = putAddress(localText, local, family);
    to = setEndpoint(to, keys, protocol, PROTOCOL_SERVER_ADDRESS_KEY, localText, localLength, localPort);
    to = setEndpoint(to, keys, protocol, PROTOCOL_CLIENT_ADDRESS_KEY, remoteText, length, port);
  } else to = setEndpoint(to, keys, protocol, PROTOCOL_SERVER_ADDRESS_KEY, remoteText, length, port);
  return setEndpoint(to, keys, protocol, PROTOCOL_PEER_ADDRESS_KEY, remoteText, length, port);
}

/** Address and port; `as` is where the protocol's record has the keys. Both are short, whatever they are. */
function setEndpoint(to: usize, keys: usize, protocol: usize, as: usize, text: usize, length: usize, port: u32): usize {
  const addressKey = <u32>load<u16>(protocol + as);
  const portKey = <u32>load<u16>(protocol + as, PORT);
  const shared = <u32>load<u8>(protocol, PROTOCOL_SHARED) >> (<u32>(as - PROTOCOL_SERVER_ADDRESS_KEY) / 2);
  if ((shared & 1) == 0 || claim(addressKey, TEXT, <u64>text | ((<u64>length) << 32))) {
    to = writeTextHead(to, load<u32>(keys + (addressKey << 3)), load<u32>(keys + (addressKey << 3), 4), length);
    copyBytes(to, text, length);
    to += length;
  }
  if ((shared & 2) != 0 && !claim(portKey, INT, port)) return to;
  return writeShortInt(
    to,
    load<u32>(keys + (portKey << 3)),
    load<u32>(keys + (portKey << 3), 4),
    port,
    spreadLength(port),
  );
}
