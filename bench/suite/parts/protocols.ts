/** The headline: every protocol's everyday conversation on 1,000 connections, from the ring to OTLP, against the floor. */
import { renderTable } from '../../table.ts';
import type { Context } from '../context.ts';
import { conversationOf, PROTOCOLS } from '../conversations/index.ts';
import { short, withQuarters } from '../figures.ts';
import { measure, pairFigures } from './measure.ts';

const CONNECTIONS = 1000;

export async function benchProtocols(context: Context): Promise<void> {
  const rows: string[][] = [];
  const headline = { pairsPerSecond: {}, nsPerPair: {}, floorRatio: {} } as Record<string, Record<string, number>>;
  for (const protocol of PROTOCOLS) {
    const conversation = await conversationOf(protocol, context.parsers);
    const setup = { connections: CONNECTIONS, conversations: [conversation] };
    const { rounds } = await measure(context, `protocols/${protocol}`, setup);
    const { ns, floorNs, ratio, rate } = pairFigures(context, `protocols/${protocol}`, rounds);
    headline.pairsPerSecond![protocol] = rate.median;
    headline.nsPerPair![protocol] = ns.median;
    headline.floorRatio![protocol] = ratio.median;
    const bytes = rounds[0]!.bytes / rounds[0]!.records;
    rows.push([
      protocol,
      short(bytes),
      short(floorNs.median),
      withQuarters(ns),
      withQuarters(ratio),
      short(rate.median),
    ]);
  }
  Object.assign(context.headline, headline);
  const head = ['', 'B/record', 'floor, ns', 'ns/pair', '× floor', 'pairs/s'];
  context.table(
    `Ring to OTLP, everyday conversations on ${CONNECTIONS} connections; floor: drain and memcpy of the same records`,
    renderTable([head, ...rows]),
  );
}
