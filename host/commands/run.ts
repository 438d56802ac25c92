/** `spanwire run`: the agent from start to signal. */
import { Agent, type AgentSummary } from '../agent.ts';
import type { Config } from '../config.ts';
import { requireOutput } from '../export/configured.ts';
import { createLog, type Log } from '../self/log.ts';

/** Resolves with the exit code after SIGINT, SIGTERM or a failure. A second signal ends the process at once. */
export async function runAgent(config: Config): Promise<number> {
  requireOutput(config);
  const log = createLog(config.logLevel, config.logFormat);
  const signal = nextSignal();
  const agent = new Agent(config, log);
  if (process.env.SPANWIRE_DEBUG_HOLD === '1') holdBySignal(agent, log);
  // A live worker and timers that do not count: this keeps the main thread here until a signal comes.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    await Promise.race([agent.start().then(() => signal), agent.failure]);
    log.info({ signal: await signal }, 'stopping');
    report(log, await agent.stop());
    return 0;
  } catch (error) {
    log.error({ error: (error as Error).message }, 'failed');
    await agent.stop().catch(() => {});
    return 1;
  } finally {
    clearInterval(alive);
  }
}

/** The reader of stdout going away (`| head`) is a wish to stop, too. */
function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.stdout.on('error', () => resolve('SIGPIPE'));
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.once(name, () => {
        process.once(name, () => process.exit(1));
        resolve(name);
      });
    }
  });
}

/** For tests of loss: SIGUSR2 stops the reading of the rings, as a stuck consumer would, and the next one resumes it. */
function holdBySignal(agent: Agent, log: Log): void {
  let held = false;
  process.on('SIGUSR2', () => {
    held = !held;
    agent.hold(held);
    log.warn({ held }, held ? 'reading held' : 'reading resumed');
  });
}

function report(log: Log, { kernel, host }: AgentSummary): void {
  log.debug({ kernel, host }, 'counters');
  log.info(
    {
      records: host.records_in,
      records_lost: kernel.records_lost,
      bytes_lost: kernel.bytes_lost,
      spans: host.spans_made,
      exported: host.spans_exported,
      dropped: host.spans_dropped_queue_full + host.spans_dropped_export_failed + host.spans_dropped_shutdown,
    },
    'stopped',
  );
}
