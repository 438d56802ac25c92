/**
 * Method, path and authority of a request. https://www.rfc-editor.org/rfc/rfc9113#section-8.3.1
 * Names: https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 */

import { isKnownMethod, OTHER_METHOD, OTHER_METHOD_LENGTH } from '../http/methods';
import {
  hostAt,
  hostLength,
  hostPort,
  pathAt,
  pathLength,
  queryAt,
  queryLength,
  splitAuthority,
  splitTarget,
} from '../http/target';
import { Message } from '../sdk/output';
import {
  HTTP_REQUEST_METHOD,
  HTTP_REQUEST_METHOD_ORIGINAL,
  SERVER_ADDRESS,
  SERVER_PORT,
  URL_PATH,
  URL_QUERY,
} from './attributes';
import { AUTHORITY, endOf, HOST, has, lengthOf, METHOD, PATH, valueAt } from './fields';

export function sayMethod(message: Message): void {
  if (!has(METHOD)) return;
  const at = valueAt(METHOD);
  if (isKnownMethod(at, endOf(METHOD))) {
    message.string(HTTP_REQUEST_METHOD, at, lengthOf(METHOD));
    return;
  }
  message.string(HTTP_REQUEST_METHOD, OTHER_METHOD, OTHER_METHOD_LENGTH);
  message.string(HTTP_REQUEST_METHOD_ORIGINAL, at, lengthOf(METHOD));
}

export function sayPath(message: Message): void {
  if (!has(PATH) || lengthOf(PATH) == 0) return;
  splitTarget(valueAt(PATH), endOf(PATH));
  message.string(URL_PATH, pathAt, pathLength);
  if (queryLength > 0) message.string(URL_QUERY, queryAt, queryLength);
}

/** Host stands for an authority that is not given (RFC 9113 section 8.3.1). */
export function sayAuthority(message: Message): void {
  const kind = has(AUTHORITY) ? AUTHORITY : HOST;
  if (!has(kind)) return;
  splitAuthority(valueAt(kind), endOf(kind));
  if (hostPort > 0) message.int(SERVER_PORT, hostPort);
  if (hostLength > 0) message.string(SERVER_ADDRESS, hostAt, hostLength);
}
