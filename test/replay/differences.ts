/**
 * Where spans and tshark 4.0 differ, and why. "-" is an exchange only tshark has, "+" one that only the spans have.
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
  {
    capture: 'zeek/mysql/caching_sha2_password.pcap',
    reason:
      'the password behind the public key has number 5, and a command has 0 ' +
      '(MySQL protocol, "MySQL Packets: Sequence ID"; "caching_sha2_password information")',
    lines: ['127.0.0.1:49352 - command 202 → ok'],
  },
  {
    capture: 'zeek/mysql/mysql8-navicat-login-failed.pcap',
    reason:
      'the same with sha256_password: the ERR answers the login, not a command 125 ' +
      '(MySQL protocol, "MySQL Packets: Sequence ID"; "Connection Phase")',
    lines: [
      '10.21.179.53:58227 - LOGIN → ok',
      '10.21.179.53:58227 - command 125 → error 1045 28000',
      '10.21.179.53:58227 + LOGIN → error 1045 28000',
    ],
  },
  {
    capture: 'deepflow/mysql/mysql-use.pcap',
    reason:
      'compressed: what is taken for a command are the 7 bytes of a compressed header ' +
      '(MySQL protocol, "Compressed Packet"); no parser without the handshake, which is not in the capture',
    lines: ['172.27.14.104:61950 - command 0 → ok'],
  },
  {
    capture: 'deepflow/mysql/partial-packet-compressed.pcap',
    reason: 'compressed, and joined behind the handshake: as mysql-use.pcap (MySQL protocol, "Compressed Packet")',
    lines: ['10.233.78.0:20871 - command 0 → ok'],
  },
  {
    capture: 'recorded/grpc-js',
    reason:
      'the client resets with CANCEL when its deadline has passed (gRPC over HTTP/2, "HTTP2 Transport Mapping: Errors"); ' +
      'a span has the status that the client reports',
    lines: ['+ POST /t.T/Once → grpc DEADLINE_EXCEEDED', '- POST /t.T/Once → reset CANCEL'],
  },
  {
    capture: 'recorded/PostgreSQL',
    reason:
      'the tag of CREATE TABLE AS is "SELECT 4" (protocol, "Message Formats: CommandComplete"); the operation is not',
    lines: [
      '- CREATE TABLE u AS SELECT * FROM t; → SELECT affected 4',
      '+ CREATE TABLE u AS SELECT * FROM t; → CREATE affected 4',
    ],
  },
];

/** The differences that are known of a capture. */
export function differences(capture: string): string[] {
  return DIFFERENCES.filter((one) => one.capture === capture).flatMap(({ lines }) => lines);
}

/** Captures without a whole exchange that anyone could see, and why. */
export const SILENT: ReadonlyMap<string, string> = new Map([
  ['zeek/http/http-bad-request-with-version.pcap', 'the request begins with a space (RFC 9112, section 3)'],
  ['zeek/http/http-inner-transfer-encoding-ossfuzz.pcap', 'made by a fuzzer: no request-line, no status-line'],
  ['zeek/http/http-lower-case.pcap', 'the response is "http/1.1": HTTP-name is case-sensitive (RFC 9112, section 2.3)'],
  ['zeek/http/http-to-ssh.pcap', 'a request to an SSH server, which answers in SSH'],
  ['zeek/http/multipart-form-data.pcap', 'a request without a response'],
  ['zeek/http/variant-02-cl_uint64max.pcap', 'smuggling: requests without a response'],
  ['zeek/http/variant-04-te_cl_desync.pcap', 'smuggling: requests without a response'],
  ['zeek/http/variant-08-leading_zeros.pcap', 'smuggling: requests without a response'],
  ['zeek/http/variant-10-multi_value_te.pcap', 'smuggling: requests without a response'],
  ['deepflow/http/client-ip.pcap', '308 bytes of the request are missing, the end of its header section among them'],
  ['deepflow/http/istio-tcp-frag.pcap', 'of the response there is the status-line only'],
  ['deepflow/http/grpc-unary.pcap', 'the response does not end in the capture: no trailers'],
  ['zeek/mysql/tls-12-amazon-rds.pcap', 'TLS from the login on'],
  ['zeek/postgresql/bad-backend-message-1.pcap', 'the server answers a start-up with a message of length 1'],
  ['zeek/postgresql/psql-aws-ssl-require-15432.pcap', 'TLS, as SSLRequest asked for'],
  ['zeek/postgresql/psql-login-no-sslrequest.pcap', 'logins that went well, which are no span'],
  ['zeek/postgresql/psql-login.pcap', 'a login that went well, which is no span'],
  [
    'deepflow/postgre/error.pcap',
    'a Query ends with ReadyForQuery (protocol, "Message Flow: Simple Query"), and the capture before it',
  ],
  ['deepflow/postgre/prepare_stat.pcap', 'a Parse without an Execute, and the answer to an Execute that is missing'],
]);

/** Captures that recorded-spans.test.ts makes; the client's port is another each time, and left out. */
export const RECORDED = 'recorded/';

/** Every capture of the corpora that has an entry here. */
export const STATED: readonly string[] = [
  ...DIFFERENCES.map(({ capture }) => capture).filter((name) => !name.startsWith(RECORDED)),
  ...SILENT.keys(),
];
