/**
 * How spans of each protocol are measured, told to the engine: which attribute ids belong to a series, in which slots.
 * Protocols with equal shapes share series: so those of a module that was loaded anew go on.
 */
import type { Engine } from '../engine/engine.ts';
import * as l from '../engine/layout/metrics.ts';
import { PROTOCOLS_MAX } from '../engine/layout/protocols.ts';
import type { AttributeField, SpanProtocol } from '../spans/protocols.ts';
import type { Attributes } from '../spans/span.ts';
import { CONVENTIONS, KINDS } from './conventions.ts';

export interface Shape {
  readonly kind: SpanProtocol['kind'];
  /** Attributes of every series, of servers and of clients. */
  readonly serverConstants: Attributes;
  readonly clientConstants: Attributes;
  /** By slot. */
  readonly fields: readonly (AttributeField | undefined)[];
  readonly statusAttribute: string | undefined;
  /** The status is an attribute of the metric; otherwise it only tells the type of an error. */
  readonly isStatusListed: boolean;
}

const VIEW_LITTLE_ENDIAN = true;

export class Shapes {
  readonly #engine: Engine;
  readonly #view: DataView;
  readonly #list: Shape[] = [];
  /** By what they are. */
  readonly #numbers = new Map<string, number>();
  readonly #records = new Map<string, number>();
  readonly #addresses: Uint32Array;
  #end = l.SHAPES;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#view = new DataView(engine.u8.buffer);
    this.#addresses = engine.column(Uint32Array, l.PROTOCOL_SHAPES, PROTOCOLS_MAX);
    KINDS.forEach((kind, number) => {
      const bounds = engine.column(Float64Array, boundsOf(number), l.BUCKETS_MAX);
      bounds.fill(Number.POSITIVE_INFINITY).set(CONVENTIONS[kind].bounds);
    });
  }

  at(number: number): Shape | undefined {
    return this.#list[number];
  }

  /** False when there is no room: spans of the protocol then remain unmeasured. */
  add(index: number, protocol: SpanProtocol): boolean {
    if (index >= PROTOCOLS_MAX) return false;
    const shape = shapeOf(protocol);
    const key = JSON.stringify(shape);
    const slots = slotsById(protocol, shape);
    const recordKey = `${key} ${slots}`;
    const address = this.#records.get(recordKey) ?? this.#put(this.#numberOf(key, shape), shape, slots);
    if (address === undefined) return false;
    this.#records.set(recordKey, address);
    this.#addresses[index] = address;
    return true;
  }

  #numberOf(key: string, shape: Shape): number {
    const number = this.#numbers.get(key) ?? this.#list.push(shape) - 1;
    this.#numbers.set(key, number);
    return number;
  }

  #put(number: number, shape: Shape, slots: readonly number[]): number | undefined {
    const address = this.#end;
    const end = (address + l.SHAPE_SLOTS + slots.length + 7) & ~7;
    if (end > l.SHAPES + l.SHAPES_BYTES || number > 0xffff) return undefined;
    this.#end = end;
    const put = (offset: number, value: number) => this.#view.setUint32(address + offset, value, VIEW_LITTLE_ENDIAN);
    const { both, serverOnly, clientOnly } = CONVENTIONS[shape.kind];
    const bit = (name: string | undefined) => bitsOf(shape, name === undefined ? [] : [name]);
    put(l.SHAPE_NUMBER, number);
    put(l.SHAPE_KIND, KINDS.indexOf(shape.kind));
    put(l.SHAPE_SERVER_SLOTS, bitsOf(shape, [...both, ...serverOnly]));
    put(l.SHAPE_CLIENT_SLOTS, bitsOf(shape, [...both, ...clientOnly]));
    put(l.SHAPE_ERROR_TYPE, bit('error.type'));
    put(l.SHAPE_STATUS, bit(shape.statusAttribute));
    put(l.SHAPE_SERVER_ADDRESS, bit('server.address'));
    put(l.SHAPE_SERVER_PORT, bit('server.port'));
    put(l.SHAPE_STATUS_LISTED, shape.isStatusListed ? 1 : 0);
    put(l.SHAPE_BOUNDS, boundsOf(KINDS.indexOf(shape.kind)));
    put(l.SHAPE_IDS, slots.length);
    this.#engine.u8.set(slots, address + l.SHAPE_SLOTS);
    return address;
  }
}

function boundsOf(kind: number): number {
  return l.BOUNDS + kind * l.BUCKETS_MAX * 8;
}

function bitsOf({ fields }: Shape, names: readonly string[]): number {
  return fields.reduce((bits, field, slot) => (field && names.includes(field.name) ? bits | (1 << slot) : bits), 0);
}

function shapeOf(protocol: SpanProtocol): Shape {
  const { both, serverOnly, clientOnly } = CONVENTIONS[protocol.kind];
  const { statusAttribute } = protocol;
  const listed = [...both, ...serverOnly, ...clientOnly];
  const isStatusListed = statusAttribute !== undefined && listed.includes(statusAttribute);
  const named = statusAttribute === undefined || isStatusListed ? listed : [...listed, statusAttribute];
  const byName = new Map(protocol.attributes.flatMap((field) => (isMeasured(field) ? [[field.name, field]] : [])));
  return {
    kind: protocol.kind,
    serverConstants: constantsOf(protocol, [...both, ...serverOnly]),
    clientConstants: constantsOf(protocol, [...both, ...clientOnly]),
    fields: [undefined, ...named.map((name) => byName.get(name))],
    statusAttribute,
    isStatusListed,
  };
}

function isMeasured(field: AttributeField | undefined): field is AttributeField {
  return field?.reported === true && field.type !== 'pair' && field.type !== 'strings';
}

/** What has no other name is known by that of its protocol. */
function constantsOf({ kind, name, constants }: SpanProtocol, listed: readonly string[]): Attributes {
  const all: Attributes = kind === 'other' ? { 'network.protocol.name': name, ...constants } : constants;
  return Object.fromEntries(Object.entries(all).filter(([one]) => listed.includes(one)));
}

/** The slot of each attribute id, as far as there are any. */
function slotsById({ attributes }: SpanProtocol, { fields }: Shape): number[] {
  const slots = attributes.map((field) => (field === undefined ? 0 : Math.max(fields.indexOf(field), 0)));
  const last = slots.findLastIndex((slot) => slot > 0);
  return Array.from({ length: last + 1 }, (_, id) => slots[id] ?? 0);
}
