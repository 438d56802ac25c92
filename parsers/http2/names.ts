/** Texts that are said of a stream: gRPC codes, HTTP/2 error codes, methods. */

import { Message } from '../sdk/output';

/** The error of a reset whose payload was lost. */
export const LOST_ERROR: u32 = 0xffffffff;

/** The server has not looked at a stream. */
export const REFUSED_STREAM: u32 = 7;
/** No reset: the connection ended before the stream had, by the client or by the server. */
export const CLIENT_LEFT: u32 = 0xfffffffe;
export const SERVER_LEFT: u32 = 0xfffffffd;

const SCRATCH: usize = memory.data(64, 8);

/** A constant of the module as an attribute. */
export function sayText(message: Message, id: u32, text: string): void {
  const units = changetype<usize>(text);
  // Four at a time, up to three more than there are: both sides have room.
  for (let i = 0; i < text.length; i += 4) {
    const four = load<u64>(units + (i << 1));
    const two = (four | (four >> 8)) & 0x0000ffff0000ffff;
    store<u32>(SCRATCH + i, <u32>(two | (two >> 16)));
  }
  message.string(id, SCRATCH, text.length);
}

/** https://grpc.io/docs/guides/status-codes/ */
export function codeName(code: u32): string {
  switch (code) {
    case 0:
      return 'OK';
    case 1:
      return 'CANCELLED';
    case 3:
      return 'INVALID_ARGUMENT';
    case 4:
      return 'DEADLINE_EXCEEDED';
    case 5:
      return 'NOT_FOUND';
    case 6:
      return 'ALREADY_EXISTS';
    case 7:
      return 'PERMISSION_DENIED';
    case 8:
      return 'RESOURCE_EXHAUSTED';
    case 9:
      return 'FAILED_PRECONDITION';
    case 10:
      return 'ABORTED';
    case 11:
      return 'OUT_OF_RANGE';
    case 12:
      return 'UNIMPLEMENTED';
    case 13:
      return 'INTERNAL';
    case 14:
      return 'UNAVAILABLE';
    case 15:
      return 'DATA_LOSS';
    case 16:
      return 'UNAUTHENTICATED';
  }
  return 'UNKNOWN';
}

/** https://www.rfc-editor.org/rfc/rfc9113#section-7 */
export function errorName(error: u32): string {
  switch (error) {
    case 0:
      return 'NO_ERROR';
    case 1:
      return 'PROTOCOL_ERROR';
    case 2:
      return 'INTERNAL_ERROR';
    case 3:
      return 'FLOW_CONTROL_ERROR';
    case 4:
      return 'SETTINGS_TIMEOUT';
    case 5:
      return 'STREAM_CLOSED';
    case 6:
      return 'FRAME_SIZE_ERROR';
    case REFUSED_STREAM:
      return 'REFUSED_STREAM';
    case 8:
      return 'CANCEL';
    case 9:
      return 'COMPRESSION_ERROR';
    case 10:
      return 'CONNECT_ERROR';
    case 11:
      return 'ENHANCE_YOUR_CALM';
    case 12:
      return 'INADEQUATE_SECURITY';
    case 13:
      return 'HTTP_1_1_REQUIRED';
    case CLIENT_LEFT:
    case SERVER_LEFT:
      return 'connection_closed';
  }
  return '_OTHER';
}
