/**
 * Whether this machine lets the agent capture. Where it does not, the live tests are skipped and say so; with CI=true
 * they fail, so that a build can never be green without having captured anything.
 */
import { describe } from 'vitest';
import { AgentProcess, AgentRefused } from '../../../examples/demo/agent.ts';

/** `describe` for tests that capture from the kernel. Awaits one trial start of the agent. */
export async function describeLive(title: string, body: () => void): Promise<void> {
  const refusal = await refusalOfKernel();
  if (refusal === undefined) describe(title, body);
  else if (process.env.CI === 'true') throw new Error(`CI=true, but nothing can be captured here: ${refusal}`);
  else {
    process.stderr.write(`\nSKIPPED ${title}: this kernel refuses eBPF.\n${refusal}\n\n`);
    describe.skip(`${title} (the kernel refuses eBPF)`, body);
  }
}

async function refusalOfKernel(): Promise<string | undefined> {
  try {
    await using _agent = await AgentProcess.start(['--pid', String(process.pid), '--printer', 'json'], () => {});
    return undefined;
  } catch (error) {
    if (error instanceof AgentRefused) return error.message;
    throw error;
  }
}
