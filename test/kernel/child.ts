/** A child process of a test, spoken to in lines. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A process that waits for lines and answers with lines. */
export class Child {
  readonly pid: number;
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly exited: Promise<number | null>;

  constructor(command: string, args: readonly string[]) {
    this.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.pid = this.#process.pid ?? 0;
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
    this.exited = once(this.#process, 'exit').then(([code]) => code as number | null);
  }

  tell(line: string): void {
    this.#process.stdin!.write(`${line}\n`);
  }

  async hear(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the child ended without an answer');
    return value;
  }

  async ask(line: string): Promise<string> {
    this.tell(line);
    return this.hear();
  }

  /** Closes its stdin, which ends it, and waits. */
  async end(): Promise<number | null> {
    this.#process.stdin!.end();
    return this.exited;
  }
}
