/** To be deleted with the merge of PAIRING and FRONT: messages and connections are columns of the engine then. */
import type { Connections } from '../conn/connections.ts';
import type { Engine } from '../engine/engine.ts';
import * as c from '../engine/layout/connections.ts';
import * as l from '../engine/layout/messages.ts';
import type { Messages } from './messages.ts';

/**
 * Copies the messages to the engine's messages 0 and 1, and what spans need of their connection, where there is a table
 * of them, to the engine's connection 0.
 */
export function createBridge({ u8, u32 }: Engine, messages: Messages, connections?: Connections) {
  const u16 = new Uint16Array(u8.buffer);
  const u64 = new BigUint64Array(u8.buffer);
  return (request: number, response: number, connection: number, firstProtocol: number): void => {
    for (const [to, m] of [request, response].entries()) {
      if (m < 0) continue;
      u32[(l.MESSAGE_FIRST_TIME >>> 2) + to * 2] = messages.firstLow[m]!;
      u32[(l.MESSAGE_FIRST_TIME >>> 2) + to * 2 + 1] = messages.firstHigh[m]!;
      u32[(l.MESSAGE_LAST_TIME >>> 2) + to * 2] = messages.lastLow[m]!;
      u32[(l.MESSAGE_LAST_TIME >>> 2) + to * 2 + 1] = messages.lastHigh[m]!;
      u64[(l.MESSAGE_BODY >>> 3) + to] = BigInt(messages.bodyBytes[m]!);
      u32[(l.MESSAGE_STATUS_CODE >>> 2) + to] = messages.status[m]!;
      u16[(l.MESSAGE_FLAG_BITS >>> 1) + to] = messages.flags[m]!;
      u16[(l.MESSAGE_ATTRIBUTE_COUNT >>> 1) + to] = messages.attributes[m]!;
      u8[l.MESSAGE_PROTOCOL_INDEX + to] = messages.protocol[m]!;
      const words = messages.attributesWords[m]!;
      const at = messages.attributesAt[m]!;
      u32[(l.MESSAGE_WORDS_AT >>> 2) + to] = to * 4096;
      u32[(l.MESSAGE_WORDS >>> 2) + to] = words;
      u32.set(messages.slab.words.subarray(at, at + words), (l.SLAB >>> 2) + to * 4096);
    }
    u32[c.FIRST_PROTOCOL >>> 2] = firstProtocol;
    if (connections === undefined) return;
    u8[c.CLIENT_DIRECTION] = connections.clientDirection[connection]!;
    u8[c.FAMILY] = connections.family[connection]!;
    u16[c.LOCAL_PORT >>> 1] = connections.localPort[connection]!;
    u16[c.REMOTE_PORT >>> 1] = connections.remotePort[connection]!;
    u32[c.RESOURCE >>> 2] = connections.resource[connection]!;
    u8.set(connections.addresses.subarray(connection * 32, connection * 32 + 32), c.ADDRESSES);
  };
}
