/**
 * Where the time goes, by stage. Drain and encoder are timed; what is between them is divided as V8's profiler, which
 * looks every 200 µs, finds the thread in the code of each stage. So it holds whatever the code inside looks like, as
 * long as profile.ts knows which file belongs to which stage.
 */
import { median, renderTable } from '../../table.ts';
import type { Context } from '../context.ts';
import { conversationOf, type Protocol } from '../conversations/index.ts';
import { short } from '../figures.ts';
import type { Share } from '../profile.ts';
import { type Round, Scenario } from '../scenario.ts';

const CONNECTIONS = 1000;
const PROFILED: readonly Protocol[] = ['http1', 'redis'];
const PROFILE_MS = 200;

interface Profiled {
  readonly round: Round;
  readonly shares: readonly Share[];
}

export async function benchStages(context: Context): Promise<void> {
  for (const protocol of PROFILED) {
    context.progress(`stages/${protocol}`);
    const profiles = await profile(context, protocol);
    const names = new Set(profiles.flatMap(({ shares }) => shares.map(({ stage }) => stage)));
    const rows = [...names].map((stage) => {
      const { median: ns } = context.figure(`stages/${protocol}/${stage}`, 'ns/pair', nsOf(stage, profiles));
      const example =
        profiles
          .at(-1)!
          .shares.find((share) => share.stage === stage)
          ?.functions.join(', ') ?? '';
      return { stage, ns, example };
    });
    const total = median(profiles.map(({ round }) => round.pipelineNs / round.expected));
    const sorted = rows.toSorted((a, b) => b.ns - a.ns);
    const lines = sorted.map(({ stage, ns, example }) => [stage, short(ns), `${short((ns * 100) / total)} %`, example]);
    const head = ['', 'ns/pair', 'share', 'most of it'];
    context.table(`${protocol} by stage, ${short(total)} ns/pair`, renderTable([head, ...lines]));
  }
}

async function profile({ ring, parsers, effort }: Context, protocol: Protocol): Promise<Profiled[]> {
  const conversations = [await conversationOf(protocol, parsers)];
  await using scenario = await Scenario.start({
    ring,
    parsers,
    connections: CONNECTIONS,
    conversations,
    isStaged: true,
  });
  await scenario.open();
  await scenario.warm(effort.warmUpMs);
  const profiles: Profiled[] = [];
  for (let round = 0; round < effort.rounds; round++) profiles.push(await scenario.profile(PROFILE_MS));
  return profiles;
}

/** By round. */
function nsOf(stage: string, profiles: readonly Profiled[]): number[] {
  return profiles.map(({ round, shares }) => {
    const { expected, drainNs, encodeNs, pipelineNs } = round;
    if (stage === 'drain') return drainNs / expected;
    if (stage === 'encode') return encodeNs / expected;
    const between = shares.filter((one) => one.stage !== 'drain' && one.stage !== 'encode');
    const all = between.reduce((sum, { share }) => sum + share, 0);
    const own = between.find((one) => one.stage === stage)?.share ?? 0;
    return (((pipelineNs - drainNs - encodeNs) / expected) * own) / all;
  });
}
