/** The control ring: what happened to processes, in the order of the kernel. Read by the main thread, unhurried. */

import { KIND_EXEC, KIND_EXIT, KIND_LISTEN, RECORD, RECORD_SIZE } from './layout.ts';
import type { RecordSource } from './source.ts';

export interface ControlEvents {
  exec(tgid: number, path: string): void;
  exit(tgid: number): void;
  listen(tgid: number, port: number): void;
}

const BUFFER_BYTES = 64 * 1024;

export class ControlReader {
  readonly #source: Pick<RecordSource, 'drain'>;
  readonly #events: ControlEvents;
  readonly #buffer = new ArrayBuffer(BUFFER_BYTES);
  readonly #view = new DataView(this.#buffer);

  constructor(source: Pick<RecordSource, 'drain'>, events: ControlEvents) {
    this.#source = source;
    this.#events = events;
  }

  /** Takes everything that waits. */
  poll(): void {
    for (let length = this.#fill(); length > 0; length = this.#fill()) {
      for (let at = 0; at + RECORD_SIZE <= length; ) at = this.#record(at, length);
    }
  }

  #fill(): number {
    return this.#source.drain(this.#buffer, 0, BUFFER_BYTES);
  }

  /** Handles the record at byte `at`; returns where the next begins. A record that cannot be one ends the batch. */
  #record(at: number, end: number): number {
    const tgid = this.#view.getUint32(at + RECORD.tgid, true);
    const captured = this.#view.getUint32(at + RECORD.captured, true);
    const size = this.#view.getUint32(at + RECORD.length, true);
    if (at + size > end || RECORD_SIZE + captured > size) return end;
    switch (this.#view.getUint8(at + RECORD.kind)) {
      case KIND_EXEC:
        this.#events.exec(tgid, text(this.#buffer, at + RECORD_SIZE, captured));
        break;
      case KIND_EXIT:
        this.#events.exit(tgid);
        break;
      case KIND_LISTEN:
        this.#events.listen(tgid, this.#view.getUint16(at + RECORD.localPort, true));
        break;
    }
    return (at + size + 7) & ~7;
  }
}

function text(buffer: ArrayBuffer, at: number, length: number): string {
  const string = Buffer.from(buffer, at, length).toString('utf8');
  const end = string.indexOf('\0');
  return end < 0 ? string : string.slice(0, end);
}
