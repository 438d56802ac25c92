/** The rules of protocols in the engine's memory: engine/layout/protocols.ts. */
import type { Engine } from '../engine/engine.ts';
import * as l from '../engine/layout/protocols.ts';
import type { ErrorRule, SpanProtocol } from './protocols.ts';
import { actionOf } from './refine.ts';

const END = l.PROTOCOL_RULES + l.PROTOCOL_RULES_BYTES;

export class ProtocolRules {
  readonly #engine: Engine;
  readonly #view: DataView;
  #top = l.PROTOCOL_RULES;
  /** Addresses by what the actions are: a module that comes again has the same. */
  readonly #known = new Map<string, number>();

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#view = new DataView(engine.u8.buffer);
  }

  /** Writes the rules of entry `index` of the protocol table. Throws when there is no room; nothing has changed then. */
  put(index: number, protocol: SpanProtocol): void {
    if (index >= l.PROTOCOLS_MAX) throw new Error(`more than ${l.PROTOCOLS_MAX} protocols since the start`);
    const actions = Uint8Array.from(protocol.attributes, (_, id) => actionOf(protocol, id));
    const { serverErrors, clientErrors } = protocol;
    const key = JSON.stringify([serverErrors, clientErrors, Buffer.from(actions).toString('latin1')]);
    const rules = this.#known.get(key) ?? this.#write(actions, serverErrors, clientErrors);
    this.#known.set(key, rules);
    this.#engine.u32[(l.PROTOCOL_TABLE >>> 2) + index] = rules;
  }

  #write(actions: Uint8Array, serverErrors: ErrorRule, clientErrors: ErrorRule): number {
    const rules = this.#take(l.RULES_ACTIONS + actions.length);
    this.#putRule(rules + l.RULES_SERVER, serverErrors);
    this.#putRule(rules + l.RULES_CLIENT, clientErrors);
    this.#view.setUint32(rules + l.RULES_IDS, actions.length, true);
    this.#engine.u8.set(actions, rules + l.RULES_ACTIONS);
    return rules;
  }

  #putRule(rule: number, errors: ErrorRule): void {
    const list = typeof errors === 'object' ? errors : [];
    const address = this.#take(list.length * 4);
    for (const [place, status] of list.entries()) this.#view.setUint32(address + place * 4, status, true);
    this.#view.setFloat64(rule + l.RULE_FROM, typeof errors === 'number' ? errors : Number.POSITIVE_INFINITY, true);
    this.#view.setUint32(rule + l.RULE_LIST, address, true);
    this.#view.setUint32(rule + l.RULE_COUNT, list.length, true);
  }

  #take(bytes: number): number {
    const at = this.#top;
    const top = (at + bytes + 7) & ~7;
    if (top > END) throw new Error('no room for the rules of another protocol');
    this.#top = top;
    return at;
  }
}
