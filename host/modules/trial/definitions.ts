/**
 * What earlier messages of a connection taught (DEFINE), as a host keeps it: within a budget, the oldest go first.
 * A message that refers to it gets the attributes; one that refers to what is not there is partial. docs/abi.md.
 */
import { DEFINITIONS_MAX } from '../../../parsers/sdk/abi.ts';
import { type Attributes, type AttributeValue, FLAG_NAMES, OutputError, type OutputRecord } from './decode.ts';

export type Definitions = Map<bigint, { readonly attributes: Attributes; readonly attributeBytes: number }>;

/** Adds, replaces or forgets a definition. */
export function define(definitions: Definitions, { type, key, attributes, attributeBytes }: OutputRecord): void {
  definitions.delete(key);
  if (type === 'undefine') return;
  definitions.set(key, { attributes, attributeBytes });
  let total = 0;
  for (const one of definitions.values()) total += one.attributeBytes;
  for (const [oldest, one] of definitions) {
    if (total <= DEFINITIONS_MAX) break;
    definitions.delete(oldest);
    total -= one.attributeBytes;
  }
}

/** Elements of an array may come by reference and with the message; the order is that of the references here. */
function joined(name: string, referred: AttributeValue, own: AttributeValue): AttributeValue {
  if (Array.isArray(referred) && Array.isArray(own)) return [...referred, ...own];
  throw new OutputError(`attribute ${name} comes twice, once by reference`);
}

/** The message with the attributes of all definitions that it refers to. */
export function resolve(definitions: Definitions, message: OutputRecord): OutputRecord {
  if (message.references.length === 0) return message;
  const attributes: Record<string, AttributeValue> = { ...message.attributes };
  let isPartial = message.flags.includes('partial');
  for (const key of message.references) {
    const known = definitions.get(key)?.attributes;
    isPartial ||= known === undefined;
    for (const [name, value] of Object.entries(known ?? {})) {
      attributes[name] = Object.hasOwn(attributes, name) ? joined(name, value, attributes[name]!) : value;
    }
  }
  const flags = FLAG_NAMES.filter((flag) => message.flags.includes(flag) || (isPartial && flag === 'partial'));
  return { ...message, attributes, flags };
}
