/** HTTP/1: "GET /path?query" and "200". */
import { originalMethod, targetOf } from '../span-lines.ts';
import { find, text } from '../tshark.ts';
import { type Meaning, type Oracle, pair } from './exchange.ts';

export const HTTP1: Oracle = {
  protocols: ['http'],
  dissector: 'http',
  ports: [22, 80, 1080, 4711, 5000, 7070, 8000, 8001, 8080, 9080],
  optIn: [],
  isKeyed: false,
  dissected: (packets) => pair(packets, (proto) => [readMessage(proto)]),
  reported: ({ attributes }) => ({
    request: `${originalMethod(attributes)} ${targetOf(attributes)}`,
    response: String(attributes['http.response.status_code'] ?? ''),
  }),
};

function readMessage(proto: Parameters<typeof find>[0]): Meaning {
  const method = find(proto, 'http.request.method');
  if (method) return { request: `${text(method)} ${inOriginForm(text(find(proto, 'http.request.uri')))}` };
  const status = find(proto, 'http.response.code')?.show;
  // 1xx announces the response, it is not the response (RFC 9110, section 15.2). 101 is: the last one of HTTP/1.
  return status && (status[0] !== '1' || status === '101') ? { response: status } : {};
}

/** A span has path and query; scheme and authority of an absolute target stand elsewhere (RFC 9112, section 3.2.2). */
function inOriginForm(target: string): string {
  return target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, '');
}
