/**
 * Where spans and tshark differ, and why. "-" is an exchange only tshark has, "+" one that only the spans have.
 * What is not in this table is a failure of corpora-spans.test.ts, and so is an entry that no longer holds.
 */

interface Difference {
  readonly capture: string;
  readonly reason: string;
  readonly lines: readonly string[];
}

const DIFFERENCES: readonly Difference[] = [
  {
    capture: 'zeek/http/bro.org.pcap',
    reason: 'the gap lies inside a body whose length is known (RFC 9112, section 6.3); tshark drops such a response',
    lines: ['10.0.2.15:55081 + GET /images/icons/download.png → 200'],
  },
  {
    capture: 'zeek/http/content-range-gap-skip.pcap',
    reason: 'the gap lies inside a body that ends with the connection (RFC 9112, section 6.3)',
    lines: [
      '192.168.1.105:49219 + GET /msdownload/update/software/svpk/2009/05/' +
        'windows6.0-kb948465-x86-neutral_18cf4afec572b84deb9078578e6fe61696f60050.psf → 206',
    ],
  },
  {
    capture: 'zeek/http/entity_gap.pcap',
    reason: 'the gap lies inside a body whose length is known (RFC 9112, section 6.3)',
    lines: ['141.142.228.5:59856 + GET /download/CHANGES.bro-aux.txt → 200'],
  },
  {
    capture: 'zeek/http/methods.pcap',
    reason: 'no request-line: the version is "HTTP/1.", or stuck to the target, or there is none (RFC 9112, section 3)',
    lines: [
      '128.2.6.136:46563 - OPTIONS HTTP/1.1 → 400',
      '128.2.6.136:46565 - OPTIONS  → 400',
      '128.2.6.136:46567 - GET / → 200',
      '128.2.6.136:46568 - GET /HTTP/1.1 → 403',
      '128.2.6.136:46577 - CCM_POST / → 405',
      '128.2.6.136:46578 - CCM_POST /HTTP/1.1 → 400',
      '128.2.6.136:46582 - CONNECT / → 400',
      '128.2.6.136:46583 - CONNECT /HTTP/1.1 → 400',
      '128.2.6.136:46587 - TRACE / → 405',
      '128.2.6.136:46588 - TRACE /HTTP/1.1 → 400',
      '128.2.6.136:46592 - DELETE / → 405',
      '128.2.6.136:46593 - DELETE /HTTP/1.1 → 400',
      '128.2.6.136:46597 - PUT / → 411',
      '128.2.6.136:46598 - PUT /HTTP/1.1 → 411',
      '128.2.6.136:46602 - POST / → 411',
      '128.2.6.136:46603 - POST /HTTP/1.1 → 411',
      '128.2.6.136:46607 - HEAD / → 200',
      '128.2.6.136:46608 - HEAD /HTTP/1.1 → 400',
    ],
  },
  {
    capture: 'zeek/http/no-uri.pcap',
    reason: 'no request-line: "GET HTTP/1.1" has no target (RFC 9112, section 3)',
    lines: ['141.142.228.5:59856 - GET HTTP/1.1 → 200'],
  },
  {
    capture: 'zeek/http/query-method-non-standard-port.pcap',
    reason: 'any token is a method (RFC 9110, section 9.1); tshark 4.0 has a list, and QUERY is not on it',
    lines: ['10.0.0.1:54321 + QUERY /users → 200'],
  },
  {
    capture: 'zeek/http/zero-length-bodies-with-drops.pcap',
    reason:
      'between request and response whole messages are missing on both sides: which belongs to which is not known',
    lines: [
      '10.0.0.118:51534 - GET /ad/l/1?kv=&ct=300&init=0&s=b019&t=1300988780203466&cn=videoView&et=i&uxnw=&uxss=&uxct=' +
        ' → 200',
    ],
  },
  {
    capture: 'zeek/redis/almost-resp.pcap',
    reason: 'after "+OK" the server sends what no RESP type starts with; tshark goes by the port',
    lines: ['127.0.0.1:53099 - AUTH → simple_string', '127.0.0.1:53099 - PING → simple_string'],
  },
  {
    capture: 'zeek/redis/attr.pcap',
    reason: 'FAKE is no command of Redis, and an inline command must be one to tell it from other lines of text',
    lines: ['127.0.0.1:62283 - FAKE → array', '127.0.0.1:62286 - FAKE2 → fragment'],
  },
  {
    capture: 'zeek/redis/reply-off-on.pcap',
    reason:
      'CLIENT REPLY OFF and SKIP suppress replies: what gets none by design is a span of its own; ' +
      'tshark pairs each request with the next reply',
    lines: [
      '[::1]:60761 + CLIENT REPLY → none',
      '[::1]:60761 + PING → none',
      '[::1]:60761 + CLIENT REPLY → none',
      '[::1]:60761 + PING → none',
      '[::1]:60761 - CLIENT REPLY → simple_string',
      '[::1]:60761 + PING → simple_string',
    ],
  },
];

/** The differences that are known of a capture. */
export function differences(capture: string): string[] {
  return DIFFERENCES.filter((one) => one.capture === capture).flatMap(({ lines }) => lines);
}
