/**
 * What is nobody's: random bytes. On connections that are known to be nobody's (the kernel was told, and stops copying;
 * here it goes on, so that it can be measured), and on connections that are new and end after a few calls. And all
 * protocols side by side.
 */
import { FROM_CLIENT, FROM_SERVER } from '../../../parsers/sdk/abi.ts';
import { renderTable } from '../../table.ts';
import type { Context } from '../context.ts';
import type { Conversation, Turn } from '../conversations/conversation.ts';
import { conversationOf, PROTOCOLS } from '../conversations/index.ts';
import { short, withQuarters } from '../figures.ts';
import { measure, pairFigures, ratios } from './measure.ts';

const CONNECTIONS = 1000;
const CALL_BYTES = 1024;
const TURNS = 4;
/** Different ones side by side. */
const KINDS = 16;
/** Nobody's. */
const PORT = 9;

export async function benchReject(context: Context): Promise<void> {
  const rows = [await reject(context, 'known', false), await reject(context, 'new', true)];
  context.table(
    `Random bytes, calls of ${CALL_BYTES} B on ${CONNECTIONS} connections; new: each ends after ${2 * TURNS} calls`,
    renderTable([['', 'floor, ns', 'ns/record', '× floor', 'the kernel was told of'], ...rows]),
  );
  if (!context.isQuick) await mixed(context);
}

async function reject(context: Context, kind: 'known' | 'new', closes: boolean): Promise<string[]> {
  const name = `reject/${kind}`;
  const conversations = Array.from({ length: KINDS }, (_, seed) => randomConversation(seed + 1, closes));
  const { rounds } = await measure(context, name, { connections: CONNECTIONS, conversations });
  const perRecord = (key: 'pipelineNs' | 'floorNs') => rounds.map((round) => round[key] / round.records);
  const ns = context.figure(`${name}/ns`, 'ns/record', perRecord('pipelineNs'));
  const floor = context.figure(`${name}/floor`, 'ns/record', perRecord('floorNs'));
  const ratio = context.figure(`${name}/ratio`, '× floor', ratios(rounds));
  context.headline[closes ? 'rejectNewRatio' : 'rejectRatio'] = ratio.median;
  const told = rounds.reduce((sum, { verdicts }) => sum + verdicts, 0);
  if (closes && told === 0) context.note('reject/new: the kernel was told of no connection');
  return [
    kind,
    short(floor.median),
    withQuarters(ns),
    withQuarters(ratio),
    closes ? `${told} connections` : 'all before',
  ];
}

function randomConversation(seed: number, closes: boolean): Conversation {
  const random = randomBytes(seed);
  const lap = Array.from(
    { length: TURNS },
    (): Turn => ({
      calls: [
        { direction: FROM_CLIENT, bytes: random(CALL_BYTES) },
        { direction: FROM_SERVER, bytes: random(CALL_BYTES) },
      ],
      pairs: 0,
    }),
  );
  return { port: PORT, opening: [], lap, closes };
}

/** The same in every run: xorshift. */
function randomBytes(seed: number): (length: number) => Uint8Array {
  let state = (seed * 0x9e3779b9) >>> 0;
  return (length) =>
    Uint8Array.from({ length }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 8) & 0xff;
    });
}

async function mixed(context: Context): Promise<void> {
  const conversations: Conversation[] = [];
  for (const protocol of PROTOCOLS) conversations.push(await conversationOf(protocol, context.parsers));
  const { rounds } = await measure(context, 'mixed', { connections: CONNECTIONS, conversations });
  const { ns, ratio, rate, floorNs } = pairFigures(context, 'mixed', rounds);
  const row = ['', short(floorNs.median), withQuarters(ns), withQuarters(ratio), short(rate.median)];
  context.table(
    `All ${PROTOCOLS.length} protocols side by side on ${CONNECTIONS} connections`,
    renderTable([['', 'floor, ns', 'ns/pair', '× floor', 'pairs/s'], row]),
  );
}
