/** A source of records that a test writes one by one: fields as bpf/wire.h has them, sequences and slots kept. */
import {
  DIRECTION_IN,
  DIRECTION_OUT,
  FLAG_ORIGIN_KNOWN,
  FLAG_ROLE_CLIENT,
  FLAG_ROLE_SERVER,
  FLAG_TRUNCATED,
  KIND_CLOSE,
  KIND_DATA,
  KIND_EOF,
  RECORD,
  RECORD_SIZE,
} from '../../host/kernel/layout.ts';
import type { RecordSource } from '../../host/kernel/source.ts';

export interface RecordFields {
  readonly kind: number;
  readonly slot: number;
  readonly direction?: number;
  readonly payload?: Uint8Array;
  readonly moved?: number;
  readonly position?: number;
  readonly origin?: number;
  readonly endIn?: number;
  readonly flags?: number;
  readonly timeNs?: number;
  readonly tgid?: number;
  readonly cookie?: number;
  readonly localPort?: number;
  readonly remotePort?: number;
  readonly sequence?: number;
}

export function createRecord(fields: RecordFields): Uint8Array<ArrayBuffer> {
  const { payload = new Uint8Array(0), moved = payload.length, timeNs = 1, sequence = 0 } = fields;
  const bytes = new Uint8Array((RECORD_SIZE + payload.length + 7) & ~7);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(RECORD.connection, BigInt(fields.cookie ?? fields.slot + 1), true);
  view.setBigUint64(RECORD.timestampNs, BigInt(timeNs), true);
  view.setBigUint64(RECORD.sequence, BigInt(sequence), true);
  view.setUint32(RECORD.length, RECORD_SIZE + payload.length, true);
  view.setUint32(RECORD.captured, payload.length, true);
  view.setUint32(RECORD.moved, moved, true);
  view.setUint32(RECORD.position, fields.position ?? 0, true);
  view.setUint32(RECORD.origin, fields.origin ?? 0, true);
  view.setUint32(RECORD.slot, fields.slot, true);
  view.setUint32(RECORD.tgid, fields.tgid ?? 1000, true);
  view.setUint16(RECORD.flags, (fields.flags ?? 0) | (moved > payload.length ? FLAG_TRUNCATED : 0), true);
  view.setUint16(RECORD.localPort, fields.localPort ?? 8080, true);
  view.setUint16(RECORD.remotePort, fields.remotePort ?? 50_000, true);
  view.setUint8(RECORD.kind, fields.kind);
  view.setUint8(RECORD.direction, fields.direction ?? DIRECTION_IN);
  view.setUint8(RECORD.family, 2);
  view.setUint8(RECORD.type, 1);
  bytes.set([10, 0, 0, 1], RECORD.local);
  bytes.set([10, 0, 0, 2], RECORD.remote);
  view.setUint32(RECORD.endIn, fields.endIn ?? 0, true);
  bytes.set(payload, RECORD_SIZE);
  return bytes;
}

export class ScriptedSource implements RecordSource {
  readonly released: number[] = [];
  readonly #waiting: Uint8Array[] = [];
  #sequence = 0;
  /** Records that were tried and not delivered. */
  lost = 0;
  delivered = 0;

  push(fields: RecordFields): void {
    this.#waiting.push(createRecord({ ...fields, sequence: this.#sequence++ }));
  }

  /** What a full ring does: the sequence is used up, the record is not there. */
  lose(): void {
    this.#sequence++;
    this.lost++;
  }

  /** Bytes as they are, for what no source should say. */
  pushRaw(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
  }

  get tried(): number {
    return this.#sequence;
  }

  drain(buffer: ArrayBuffer, offset: number, capacity: number): number {
    const target = new Uint8Array(buffer, offset, capacity);
    let written = 0;
    while (this.#waiting.length > 0 && written + this.#waiting[0]!.length <= capacity) {
      const record = this.#waiting.shift()!;
      target.set(record, written);
      written += record.length;
      this.delivered++;
    }
    return written;
  }

  release(slots: Uint32Array, count: number): void {
    this.released.push(...slots.subarray(0, count));
  }

  pending(): number {
    return this.#waiting.reduce((sum, { length }) => sum + length, 0);
  }
}

export interface ConversationOptions {
  readonly isServer?: boolean;
  readonly midStream?: boolean;
  readonly localPort?: number;
  readonly remotePort?: number;
  readonly tgid?: number;
  readonly cookie?: number;
  /** Sequence number of the first byte of both directions. */
  readonly origin?: number;
}

/** One connection of a scripted source: it counts positions, a test says what moves. */
export class Conversation {
  readonly slot: number;
  readonly #source: ScriptedSource;
  readonly #options: ConversationOptions;
  readonly #position: [number, number];

  constructor(source: ScriptedSource, slot: number, options: ConversationOptions = {}) {
    this.slot = slot;
    this.#source = source;
    this.#options = options;
    this.#position = [options.origin ?? 1000, options.origin ?? 1000];
  }

  /** The client's bytes; `lost` ones move but leave no record. */
  ask(text: string | Uint8Array, timeNs = 1, lost = false): void {
    this.move(this.#clientDirection, text, timeNs, lost);
  }

  answer(text: string | Uint8Array, timeNs = 1, lost = false): void {
    this.move(1 - this.#clientDirection, text, timeNs, lost);
  }

  move(direction: number, text: string | Uint8Array, timeNs = 1, lost = false, moved?: number): void {
    const payload = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
    const position = this.#position[direction]!;
    this.#position[direction] = (position + (moved ?? payload.length)) >>> 0;
    if (lost) this.#source.lose();
    else {
      const all = { ...this.#common(), kind: KIND_DATA, direction, payload, position, timeNs };
      this.#source.push(moved === undefined ? all : { ...all, moved });
    }
  }

  end(direction: number, timeNs = 1): void {
    this.#source.push({ ...this.#common(), kind: KIND_EOF, direction, position: this.#position[direction]!, timeNs });
  }

  close(timeNs = 1): void {
    const [endIn, position] = this.#position;
    this.#source.push({ ...this.#common(), kind: KIND_CLOSE, direction: DIRECTION_OUT, position, endIn, timeNs });
  }

  get #clientDirection(): number {
    return this.#options.isServer === false ? DIRECTION_OUT : DIRECTION_IN;
  }

  #common() {
    const { isServer = true, midStream = false, origin = 1000, ...rest } = this.#options;
    const role = isServer ? FLAG_ROLE_SERVER : FLAG_ROLE_CLIENT;
    return { ...rest, slot: this.slot, origin, flags: midStream ? 0 : role | FLAG_ORIGIN_KNOWN };
  }
}
