/**
 * gRPC as a program in Go speaks it, through real eBPF: what etcdctl asks of etcd, one server span for each call, with
 * its method, status, and messages and bytes each way.
 */
import { expect, test } from 'vitest';
import { until } from '../export/fixtures.ts';
import { EtcdServer, etcdMissing } from '../support/etcd-server.ts';
import { sayUnavailable } from '../support/unavailable.ts';
import type { Span } from './support/agent.ts';
import { describeLive } from './support/live.ts';
import { watchLarge } from './support/watch.ts';

const reason = etcdMissing();
if (reason) sayUnavailable('etcd through eBPF', reason);

/** Bytes in front of a gRPC message. */
const PREFIX = 5;
/** Tag and length in front of a field of a protocol buffer. */
const FIELD = 2;

/** `service/method status asked→answered kind`: messages each way. */
function lineOf({ attributes: a }: Span): string {
  const counts = `${a['rpc.request.message.count']}→${a['rpc.response.message.count']}`;
  return `${a['rpc.method']} ${a['rpc.response.status_code']} ${counts} ${a['rpc.grpc.kind'] ?? '-'}`;
}

/** Calls that last until etcdctl leaves. */
const isWatch = ({ name }: Span) => name === 'etcdserverpb.Watch/Watch';
const isKeepAlive = ({ name }: Span) => name === 'etcdserverpb.Lease/LeaseKeepAlive';

await describeLive('etcd', () => {
  test.skipIf(reason !== '')('every call of etcdctl is a span, and every span a call', async () => {
    await using server = await EtcdServer.start();
    const expected: string[] = [];
    const sizes: number[] = [];
    /** Runs etcdctl, and remembers the call that it makes. */
    const call = async (line: string, parameters: string[], input?: string) => {
      expected.push(`etcdserverpb.${line}`);
      return await server.ctl(parameters, input);
    };
    const { spans } = await watchLarge(server.port, async (seen) => {
      for (const value of ['1', 'twenty-two', 'x'.repeat(100)]) {
        await call('KV/Put OK 1→1 unary', ['put', 'key', value]);
        sizes.push(PREFIX + FIELD + 'key'.length + FIELD + value.length);
      }
      expect(await call('KV/Range OK 1→1 unary', ['get', 'key', '--print-value-only'])).toContain('xxx');
      await call('KV/Range OK 1→1 unary', ['get', 'k', '--prefix']);
      await call('KV/Txn OK 1→1 unary', ['txn'], 'value("key") = "1"\n\nput key 5\n\nget key\n\n');
      expect(await call('KV/DeleteRange OK 1→1 unary', ['del', 'key'])).toBe('1\n');
      const id = /lease (\w+) granted/.exec(await call('Lease/LeaseGrant OK 1→1 unary', ['lease', 'grant', '60']))![1]!;
      await call('KV/Put OK 1→1 unary', ['put', 'leased', 'v', '--lease', id]);
      await call('Lease/LeaseTimeToLive OK 1→1 unary', ['lease', 'timetolive', id]);
      await call('Lease/LeaseRevoke OK 1→1 unary', ['lease', 'revoke', id]);
      await expect(call('Lease/LeaseRevoke NOT_FOUND 1→0 -', ['lease', 'revoke', id])).rejects.toThrow(
        'lease not found',
      );
      await expect(call('KV/Compact OUT_OF_RANGE 1→0 -', ['compact', '1000'])).rejects.toThrow('future revision');
      await call('Cluster/MemberList OK 1→1 unary', ['member', 'list']);
      await call('Maintenance/Status OK 1→1 unary', ['endpoint', 'status']);
      const kept = /lease (\w+) granted/.exec(
        await call('Lease/LeaseGrant OK 1→1 unary', ['lease', 'grant', '60']),
      )![1]!;
      await server.during(['lease', 'keep-alive', kept], /keepalived/, () => Promise.resolve());
      await until(() => seen.some(isKeepAlive), 'the span of the keep-alive');
      await server.during(['watch', 'w'], /^/, async (said) => {
        // It says nothing when it has begun: it is asked until it does.
        for (let n = 0; said() === ''; n++) await call('KV/Put OK 1→1 unary', ['put', 'w', String(n)]);
        await call('KV/Put OK 1→1 unary', ['put', 'w', 'last']);
        await until(() => said().includes('last'), 'the last change');
      });
      await until(() => seen.some(isWatch), 'the span of the watch');
    });
    const calls = spans.filter(({ kind, protocol }) => kind === 'server' && protocol === 'grpc');
    expect(calls.filter((span) => !isWatch(span) && !isKeepAlive(span)).map(lineOf)).toEqual(expected);
    const puts = calls.filter(({ name }) => name === 'etcdserverpb.KV/Put');
    expect(puts.slice(0, sizes.length).map(({ attributes }) => attributes['rpc.request.body.size'])).toEqual(sizes);
    const keptAlive = calls.filter(isKeepAlive).map(lineOf);
    expect(keptAlive).toEqual(['etcdserverpb.Lease/LeaseKeepAlive CANCELLED 1→1 unary']);
    const [watched, ...more] = calls.filter(isWatch).map(({ attributes }) => attributes);
    expect(more).toEqual([]);
    expect(watched).toMatchObject({ 'rpc.response.status_code': 'CANCELLED', 'rpc.grpc.kind': 'server_stream' });
    expect(watched!['rpc.response.message.count']).toBeGreaterThanOrEqual(3);
    const messages = calls.map(({ attributes }) => attributes['rpc.response.metadata.grpc-message']).filter(Boolean);
    expect(messages).toEqual([
      'etcdserver: requested lease not found',
      'etcdserver: mvcc: required revision is a future revision',
    ]);
  });
});
