/** Redis: commands in pipelines as long as what is captured of a call, SET and GET with values of a wanted size. */
import type { Step } from '../../../host/modules/trial/steps.ts';
import { FROM_CLIENT, FROM_SERVER } from '../../../parsers/sdk/abi.ts';
import { step } from '../../parser-traffic.ts';

const CAPTURED = 4096;
const PIPELINED_MAX = 16;
/** Of a SET beside its value. */
const COMMAND_BYTES = 60;

/** How many commands of this size a pipeline has. */
export function pipelineOf(bytes: number): number {
  return Math.min(PIPELINED_MAX, Math.max(1, Math.floor(CAPTURED / bytes)));
}

export function sizedRedis(bytes: number): Step[] {
  const value = 'v'.repeat(Math.max(1, bytes - COMMAND_BYTES));
  return [0, 1, 2, 3].flatMap((lap) => {
    const keys = Array.from({ length: pipelineOf(bytes) }, (_, index) => `user:${10_000 + 16 * lap + index}:profile`);
    const isSet = (index: number) => (index + lap) % 2 === 0;
    const commands = keys.map((key, index) => (isSet(index) ? ['SET', key, value] : ['GET', key]));
    const replies = keys.map((_, index) => (isSet(index) ? '+OK\r\n' : bulk(value)));
    return [
      step(
        FROM_CLIENT,
        Buffer.from(commands.map((words) => `*${words.length}\r\n${words.map(bulk).join('')}`).join('')),
      ),
      step(FROM_SERVER, Buffer.from(replies.join(''))),
    ];
  });
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
