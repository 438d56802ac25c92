/** The same spans through our encoder and through OpenTelemetry's ReadableSpan and serializer, batch by batch. */
import { renderTable } from '../../table.ts';
import type { Context } from '../context.ts';
import { conversationOf } from '../conversations/index.ts';
import { short, withQuarters } from '../figures.ts';
import { measure } from './measure.ts';

const CONNECTIONS = 1000;

export async function benchOtel(context: Context): Promise<void> {
  const conversations = [await conversationOf('http1', context.parsers)];
  const { rounds } = await measure(context, 'otel', { connections: CONNECTIONS, conversations, encoders: 'both' });
  const told = rounds.filter(({ requestBytes }) => requestBytes > 0);
  if (told.length === 0) throw new Error('otel: no batch was encoded');
  const perSpan = (key: 'encodeNs' | 'otelNs') => told.map((round) => round[key] / round.spans);
  const ours = context.figure('otel/ours', 'ns/span', perSpan('encodeNs'));
  const theirs = context.figure('otel/theirs', 'ns/span', perSpan('otelNs'));
  const ratio = context.figure(
    'otel/ratio',
    '× ours',
    told.map(({ otelNs, encodeNs }) => otelNs / encodeNs),
  );
  context.headline.otelRatio = ratio.median;
  const row = ['HTTP/1 spans', withQuarters(ours), withQuarters(theirs), withQuarters(ratio)];
  context.table(
    `Encoding: ours, and OpenTelemetry's ReadableSpan with its protobuf serializer (${short(ratio.median)} times the time)`,
    renderTable([['', 'ours, ns/span', 'theirs, ns/span', '× ours'], row]),
  );
}
