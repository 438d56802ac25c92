/** A batch is one request: whatever its spans are, it must not be larger than receivers take. */
import { expect, test } from 'vitest';
import { loadParsers } from '../../fuzz/parsers.ts';
import { Engine } from '../../host/engine/engine.ts';
import { SPAN_ERROR, SPAN_HAS_PARENT, SPAN_SERVER, SpanBatch } from '../../host/spans/batch.ts';
import { ProtocolTable } from '../../host/spans/protocols.ts';
import { Resources } from '../../host/spans/resources.ts';
import { NGINX, offerOf, textRecord } from './fixtures.ts';

/** What gRPC servers take if nothing else is set. */
const GRPC_DEFAULT = 4 * 1024 * 1024;
const LARGEST_BATCH = 8192;
const V6 = 10;
/** 2001:db8:1111:2222:3333:4444:5555:6666 and …:7777: addresses are written no longer than these. */
const ADDRESSES = ['6666', '7777'].flatMap((last) => [...Buffer.from(`20010db811112222333344445555${last}`, 'hex')]);

const parsers = await loadParsers();
const engine = new Engine();
const resources = new Resources();

test.each([0, 16, 100, 500, 2048])('spans of texts of %i bytes, of any protocol', (length) => {
  for (const { manifest } of parsers) {
    const protocols = new ProtocolTable();
    protocols.add(manifest, new Set());
    const ids = manifest.attributes.flatMap(({ id, type }) => (type === 'string' ? [id] : []));
    const record = ids.slice(0, 8).flatMap((id) => textRecord(id, 'x'.repeat(length)));
    const batch = new SpanBatch(engine, LARGEST_BATCH, protocols.list, resources);
    batch.clear();
    while (batch.hasRoom(record.length)) {
      const { columns: c } = batch;
      const i = batch.length++;
      c.flags[i] = SPAN_SERVER | SPAN_ERROR | SPAN_HAS_PARENT;
      c.attributesAt[i] = batch.words;
      c.requestAttributes[i] = Math.min(ids.length, 8);
      c.words.set(record, batch.words);
      c.family[i] = V6;
      c.localPort[i] = 50_051;
      c.remotePort[i] = 50_000;
      c.addresses.set(ADDRESSES, i * ADDRESSES.length);
      batch.resource[i] = resources.acquire(NGINX);
      batch.words += record.length;
    }
    expect(batch.length, manifest.name).toBeGreaterThan(30);
    expect(offerOf(batch.seal()).encoded.bytes, manifest.name).toBeLessThan(GRPC_DEFAULT);
  }
});
