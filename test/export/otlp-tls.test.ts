/** TLS with a private authority, as OTEL_EXPORTER_OTLP_CERTIFICATE names it; and without it, a refusal that is told. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createOtlpSink } from '../../host/export/otlp.ts';
import type { ExportOutcome } from '../../host/spans/span.ts';
import { sayUnavailable } from '../support/unavailable.ts';
import { numbered, offerOf, SCOPE, TestLog } from './fixtures.ts';
import { accept, grpcReceiver } from './receivers.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
if (!hasOpenssl) sayUnavailable('OTLP over TLS', 'openssl is not installed');

describe.skipIf(!hasOpenssl)('TLS', () => {
  let folder: string;
  const file = (name: string) => join(folder, name);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'spanwire-tls-'));
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-days', '2'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file('key.pem')];
    execFileSync('openssl', ['req', '-x509', ...key, ...subject, '-out', file('cert.pem')], { stdio: 'ignore' });
  });

  afterAll(() => rmSync(folder, { recursive: true }));
  afterEach(() => vi.unstubAllEnvs());

  async function send(endpoint: string, protocol: 'http/protobuf' | 'grpc'): Promise<ExportOutcome> {
    const sink = createOtlpSink({ endpoint, protocol, timeoutMs: 2000 }, SCOPE, new TestLog());
    const outcome = await sink.export(sink.take(offerOf(numbered(3))), AbortSignal.timeout(3000));
    await sink.shutdown();
    return outcome;
  }

  it('http', async () => {
    const options = { key: readFileSync(file('key.pem')), cert: readFileSync(file('cert.pem')) };
    const server = createServer(options, (request, response) => {
      request.resume().on('end', () => accept(response, request));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const stranger = await send(url, 'http/protobuf');
    expect(stranger).toMatchObject({ ok: false, retry: true, reason: expect.stringMatching(/self.signed/) });
    vi.stubEnv('OTEL_EXPORTER_OTLP_CERTIFICATE', file('cert.pem'));
    expect(await send(url, 'http/protobuf')).toEqual({ ok: true });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('grpc', async () => {
    const pair = { private_key: readFileSync(file('key.pem')), cert_chain: readFileSync(file('cert.pem')) };
    const receiver = await grpcReceiver(undefined, 0, grpc.ServerCredentials.createSsl(null, [pair]));
    const url = receiver.url.replace('http:', 'https:');
    expect(await send(url, 'grpc')).toMatchObject({ ok: false, retry: true });
    vi.stubEnv('OTEL_EXPORTER_OTLP_CERTIFICATE', file('cert.pem'));
    expect(await send(url, 'grpc')).toEqual({ ok: true });
    expect(receiver.spans).toHaveLength(3);
    await receiver.close();
  });
});
