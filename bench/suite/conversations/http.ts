/** HTTP/1 requests and answers of a wanted size: heads of up to some 700 bytes as browsers and proxies write them, then body. */
import type { Step } from '../../../host/modules/trial/steps.ts';
import { FROM_CLIENT, FROM_SERVER } from '../../../parsers/sdk/abi.ts';
import { step } from '../../parser-traffic.ts';

/** A head takes fields as long as it stays below this share of the message. */
const HEAD_SHARE = 0.75;
/** No length of a body takes more digits than this. */
const LENGTH_DIGITS = 5;

const REQUEST_FIELDS = [
  'Host: shop.example.com',
  'User-Agent: curl/8.11.0',
  'Accept: text/html,application/json;q=0.9,*/*;q=0.8',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Cookie: session=0123456789abcdef0123456789abcdef; consent=all; _ga=GA1.1.1234567890.1730800800',
  'Accept-Language: en-US,en;q=0.9,de;q=0.8',
  'Referer: https://shop.example.com/orders/4711',
  'X-Request-Id: 7f9c2ba4-e88f-4d6a-9b1e-0123456789ab',
  'X-Forwarded-For: 203.0.113.17, 198.51.100.4',
  'X-Forwarded-Proto: https',
];

const RESPONSE_FIELDS = [
  'Server: nginx/1.26.2',
  'Date: Tue, 05 Nov 2024 10:00:00 GMT',
  'Content-Type: application/json',
  'Connection: keep-alive',
  'Cache-Control: private, max-age=0',
  'Vary: Accept-Encoding',
  'X-Request-Id: 7f9c2ba4-e88f-4d6a-9b1e-0123456789ab',
  'X-Content-Type-Options: nosniff',
  'Strict-Transport-Security: max-age=63072000; includeSubDomains',
  'Via: 1.1 varnish',
];

const PATHS = ['/', '/api/v1/orders/4711', '/api/v1/users/me', '/cart'];

/** Exchanges whose requests and answers have `bytes` bytes each. */
export function sizedHttp(bytes: number): Step[] {
  return PATHS.flatMap((path) => [
    step(FROM_CLIENT, message(`PUT ${path} HTTP/1.1`, REQUEST_FIELDS, bytes)),
    step(FROM_SERVER, message('HTTP/1.1 200 OK', RESPONSE_FIELDS, bytes)),
  ]);
}

function message(start: string, fields: readonly string[], bytes: number): Buffer {
  let head = `${start}\r\n`;
  for (const field of fields) if (head.length + field.length < bytes * HEAD_SHARE) head += `${field}\r\n`;
  const body = bytes - head.length - 'Content-Length: \r\n\r\n'.length - LENGTH_DIGITS;
  const length = String(Math.max(0, body)).padStart(LENGTH_DIGITS, '0');
  return Buffer.from(`${head}Content-Length: ${length}\r\n\r\n${'x'.repeat(Math.max(0, body))}`, 'latin1');
}
