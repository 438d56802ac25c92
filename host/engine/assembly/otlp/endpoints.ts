/** Who talks to whom, as attributes: address and port of the server, and of the client that asks it; and of the peer. */
import {
  INT,
  PROTOCOL_CLIENT_ADDRESS_KEY,
  PROTOCOL_CLIENT_PORT_KEY,
  PROTOCOL_PEER_ADDRESS_KEY,
  PROTOCOL_PEER_PORT_KEY,
  PROTOCOL_SERVER_ADDRESS_KEY,
  PROTOCOL_SERVER_PORT_KEY,
  TEXT,
} from '../../layout/otlp';
import { ROW_ADDRESSES, ROW_FAMILY, ROW_LOCAL_PORT, ROW_REMOTE_PORT } from '../../layout/spans';
import { inet6Length, inet6Text, inetLength, inetOf, inetText, isKnown } from './address';
import { copyBytes } from './protobuf';
import { isFinal, note, writeInt, writeTextHead } from './values';

/** The texts, for a name that asks for one: longer than any, as copies end behind them. */
const localText: usize = memory.data(64, 16);
const remoteText: usize = memory.data(64, 16);

/** Those that nobody else set. */
export function setPeer(to: usize, keys: usize, row: u32, protocol: usize, isServer: bool): usize {
  const family = <u32>load<u8>(ROW_FAMILY + row);
  if (!isKnown(family)) return to;
  const local: usize = ROW_ADDRESSES + (row << 5);
  const remote = local + 16;
  const remotePort = <u32>load<u16>(ROW_REMOTE_PORT + (row << 1));
  if (isServer) {
    const localPort = <u32>load<u16>(ROW_LOCAL_PORT + (row << 1));
    to = setAddress(to, keys, key(protocol, PROTOCOL_SERVER_ADDRESS_KEY), local, family, localText);
    to = setPort(to, keys, key(protocol, PROTOCOL_SERVER_PORT_KEY), localPort);
    to = setAddress(to, keys, key(protocol, PROTOCOL_CLIENT_ADDRESS_KEY), remote, family, remoteText);
    to = setPort(to, keys, key(protocol, PROTOCOL_CLIENT_PORT_KEY), remotePort);
  } else {
    to = setAddress(to, keys, key(protocol, PROTOCOL_SERVER_ADDRESS_KEY), remote, family, remoteText);
    to = setPort(to, keys, key(protocol, PROTOCOL_SERVER_PORT_KEY), remotePort);
  }
  to = setAddress(to, keys, key(protocol, PROTOCOL_PEER_ADDRESS_KEY), remote, family, remoteText);
  return setPort(to, keys, key(protocol, PROTOCOL_PEER_PORT_KEY), remotePort);
}

function setAddress(to: usize, keys: usize, key: u32, address: usize, family: u32, text: usize): usize {
  if (isFinal(key)) return to;
  const inet = inetOf(address, family);
  if (inet == 0) return setInet6(to, keys, key, address, text);
  const length = inetLength(inet);
  const bytes = inetText(inet);
  v128.store(text, bytes);
  note(key, TEXT, <u64>text | ((<u64>length) << 32));
  to = writeTextHead(to, keys, key, length);
  v128.store(to, bytes);
  return to + length;
}

function setInet6(to: usize, keys: usize, key: u32, address: usize, text: usize): usize {
  const kept = inet6Text(address);
  const length = inet6Length(kept);
  copyBytes(text, kept, length);
  note(key, TEXT, <u64>text | ((<u64>length) << 32));
  to = writeTextHead(to, keys, key, length);
  copyBytes(to, kept, length);
  return to + length;
}

function setPort(to: usize, keys: usize, key: u32, port: u32): usize {
  if (isFinal(key)) return to;
  note(key, INT, port);
  return writeInt(to, keys, key, port);
}

function key(protocol: usize, offset: usize): u32 {
  return load<u16>(protocol + offset);
}
