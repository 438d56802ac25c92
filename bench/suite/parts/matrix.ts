/** The whole pipeline by protocol, connections, size of messages and share of spans that is reported. */
import { renderTable } from '../../table.ts';
import type { Context } from '../context.ts';
import { conversationOf, PROTOCOLS, type Protocol } from '../conversations/index.ts';
import { short } from '../figures.ts';
import { measure, pairFigures } from './measure.ts';

const CONNECTIONS = [1, 100, 10_000, 100_000];
const SIZES = [200, 1024, 16_384];
const SAMPLED = [1, 0.01];

export async function benchMatrix(context: Context): Promise<void> {
  for (const sampled of SAMPLED) {
    for (const protocol of PROTOCOLS) await benchProtocol(context, protocol, sampled);
  }
}

async function benchProtocol(context: Context, protocol: Protocol, sampled: number): Promise<void> {
  const rows: string[][] = [];
  for (const connections of CONNECTIONS) {
    const row = [`${connections} connections`];
    for (const bytes of SIZES) row.push(await cell(context, protocol, connections, bytes, sampled));
    rows.push(row);
  }
  const head = ['ns/pair (× floor)', ...SIZES.map((bytes) => `${bytes} B`)];
  const share = `${sampled * 100} % of the spans reported`;
  context.table(`${protocol}: ring to OTLP, ${share}`, renderTable([head, ...rows]));
}

async function cell(context: Context, protocol: Protocol, connections: number, bytes: number, sampled: number) {
  const name = `matrix/${protocol}/${connections}x${bytes}@${sampled}`;
  const conversations = [await conversationOf(protocol, context.parsers, bytes)];
  const { rounds, made } = await measure(context, name, { connections, conversations, sampled });
  // What is refused costs less than what is told: such a time would be compared with nothing.
  if (made !== 1) return `${Math.round(made * 100)} % told`;
  const { ns, ratio } = pairFigures(context, name, rounds);
  return `${short(ns.median)} (${short(ratio.median)})`;
}
