/**
 * Whether this machine lets the agent capture. Where it does not, the live tests are skipped and say so; with CI=true
 * they fail, so that a build can never be green without having captured anything.
 */
import { describe } from 'vitest';
import { AgentProcess, AgentRefused } from '../../../examples/demo/agent.ts';

/** `describe` for tests that capture from the kernel. Awaits one trial start of the agent. */
export async function describeLive(title: string, body: () => void): Promise<void> {
  refusal ??= refusalOfKernel();
  const words = await refusal;
  if (words === undefined) describe(title, body);
  else if (process.env.CI === 'true') throw new Error(`CI=true, but nothing can be captured here: ${words}`);
  else {
    process.stderr.write(`\nSKIPPED ${title}: eBPF is refused here.\n${words}\n\n`);
    describe.skip(`${title} (eBPF is refused)`, body);
  }
}

let refusal: Promise<string | undefined> | undefined;

async function refusalOfKernel(): Promise<string | undefined> {
  try {
    await using _agent = await AgentProcess.start(['--pid', String(process.pid), '--printer', 'json'], () => {});
    return undefined;
  } catch (error) {
    if (error instanceof AgentRefused) return error.message;
    throw error;
  }
}
