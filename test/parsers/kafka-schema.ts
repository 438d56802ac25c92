/**
 * Kafka messages of any API and version, encoded by Kafka's own schemas (JSON with comments, ../shared/corpora).
 * https://github.com/apache/kafka/blob/trunk/clients/src/main/resources/common/message/README.md
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = new URL('../../../shared/corpora/kafka-messages/', import.meta.url).pathname;

export interface Field {
  readonly name: string;
  readonly type: string;
  readonly versions: string;
  readonly nullableVersions?: string;
  readonly taggedVersions?: string;
  readonly tag?: number;
  readonly entityType?: string;
  readonly fields?: readonly Field[];
}

export interface Schema {
  readonly apiKey: number;
  readonly name: string;
  readonly type: 'request' | 'response';
  readonly validVersions: string;
  readonly flexibleVersions?: string;
  readonly fields: readonly Field[];
  readonly commonStructs?: readonly { readonly name: string; readonly fields: readonly Field[] }[];
}

/** What goes into the fields. */
export interface Filling {
  /** Which of the error codes, counted as they come, is not 0, and what it is. */
  readonly errorAt: number;
  readonly error: number;
  /** What may be null is. */
  readonly isNull: boolean;
  /** Tagged fields are written. */
  readonly isTagged: boolean;
  /** Elements of each array. */
  readonly elements: number;
  readonly records: Buffer;
}

export interface Encoded {
  readonly bytes: Buffer;
  /** Error codes it has. */
  readonly errors: number;
}

/** Requests and responses by API key; empty, with the reason on stderr, where the corpora are absent. */
export function loadSchemas(): Map<number, { request: Schema; response: Schema }> {
  const schemas = new Map<number, { request: Schema; response: Schema }>();
  if (!existsSync(FOLDER)) {
    process.stderr.write('SKIPPED schemas of Kafka: ../shared/corpora/kafka-messages is not here\n');
    return schemas;
  }
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('Request.json'))) {
    const request = readSchema(file);
    schemas.set(request.apiKey, { request, response: readSchema(file.replace('Request.json', 'Response.json')) });
  }
  return schemas;
}

function readSchema(file: string): Schema {
  const lines = readFileSync(join(FOLDER, file), 'utf8').split('\n');
  return JSON.parse(lines.map((line) => line.replace(/(^|[\s,{}[\]"])\/\/ ?.*$/, '$1')).join('\n')) as Schema;
}

export function versionsOf({ validVersions }: Schema): number[] {
  const [from, to] = rangeOf(validVersions);
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

export function isFlexible({ flexibleVersions = 'none' }: Schema, version: number): boolean {
  return isIn(flexibleVersions, version);
}

function rangeOf(text: string): [number, number] {
  const [, from, rest, to] = /^(\d+)(\+|-(\d+))?$/.exec(text)!;
  return [Number(from), rest === '+' ? Number.POSITIVE_INFINITY : Number(to ?? from)];
}

function isIn(versions: string | undefined, version: number): boolean {
  if (versions === undefined || versions === 'none') return false;
  const [from, to] = rangeOf(versions);
  return from <= version && version <= to;
}

/** Only the body: the header is the caller's. */
export function encodeBody(schema: Schema, version: number, filling: Filling): Encoded {
  const encoder = new Encoder(schema, version, filling);
  encoder.struct(schema.fields);
  return { bytes: encoder.bytes, errors: encoder.errors };
}

export function frame(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([int(body.length, 4), body]);
}

export function int(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeIntBE(value, 0, bytes);
  return buffer;
}

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}

const WIDTHS: Readonly<Record<string, number>> = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
};

class Encoder {
  errors = 0;
  readonly #schema: Schema;
  readonly #version: number;
  readonly #isFlexible: boolean;
  readonly #filling: Filling;
  #parts: Buffer[] = [];

  constructor(schema: Schema, version: number, filling: Filling) {
    this.#schema = schema;
    this.#version = version;
    this.#isFlexible = isFlexible(schema, version);
    this.#filling = filling;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  struct(fields: readonly Field[]): void {
    const present = fields.filter(({ versions }) => isIn(versions, this.#version));
    const isTagged = ({ taggedVersions }: Field) => isIn(taggedVersions, this.#version);
    for (const field of present) if (!isTagged(field)) this.#field(field);
    if (this.#isFlexible) this.#tags(present.filter(isTagged).sort((a, b) => a.tag! - b.tag!));
  }

  #tags(fields: readonly Field[]): void {
    const written = this.#filling.isTagged ? fields : [];
    this.#parts.push(varint(written.length));
    for (const field of written) {
      const outer = this.#parts;
      this.#parts = [];
      this.#field(field);
      const bytes = this.bytes;
      this.#parts = [...outer, varint(field.tag!), varint(bytes.length), bytes];
    }
  }

  #field(field: Field): void {
    const isNull = this.#filling.isNull && isIn(field.nullableVersions, this.#version);
    if (field.type.startsWith('[]')) this.#array(field, isNull);
    else if (this.#isStruct(field.type) && isIn(field.nullableVersions, this.#version)) {
      this.#parts.push(int(isNull ? -1 : 1, 1));
      if (!isNull) this.#value(field, field.type, false);
    } else this.#value(field, field.type, isNull);
  }

  #array(field: Field, isNull: boolean): void {
    const { elements } = this.#filling;
    this.#length(isNull ? -1 : elements, 4);
    for (let i = 0; i < elements && !isNull; i++) this.#value(field, field.type.slice(2), false);
  }

  #isStruct(type: string): boolean {
    return WIDTHS[type] === undefined && !['string', 'bytes', 'records'].includes(type);
  }

  #value(field: Field, type: string, isNull: boolean): void {
    if (this.#isStruct(type)) this.struct(field.fields ?? this.#common(type));
    else if (type === 'string') this.#text(field, isNull);
    else if (type === 'bytes') this.#bytes(isNull ? undefined : Buffer.from('some bytes'), 4);
    else if (type === 'records') this.#bytes(isNull ? undefined : this.#filling.records, 4);
    else if (type === 'int16' && /ErrorCode$/.test(field.name)) this.#error();
    else this.#parts.push(numberOf(field, WIDTHS[type]!));
  }

  #common(name: string): readonly Field[] {
    return this.#schema.commonStructs!.find((struct) => struct.name === name)!.fields;
  }

  #text(field: Field, isNull: boolean): void {
    this.#bytes(isNull ? undefined : Buffer.from(textOf(field)), 2);
  }

  #bytes(value: Buffer | undefined, width: number): void {
    this.#length(value?.length ?? -1, width);
    if (value) this.#parts.push(value);
  }

  #length(length: number, width: number): void {
    this.#parts.push(this.#isFlexible ? varint(length + 1) : int(length, width));
  }

  #error(): void {
    this.#parts.push(int(this.errors++ === this.#filling.errorAt ? this.#filling.error : 0, 2));
  }
}

/** What a string says: by what it stands for. */
export function textOf({ name, entityType }: Pick<Field, 'name' | 'entityType'>): string {
  return entityType === 'topicName' ? 'orders' : entityType === 'groupId' ? 'billing' : `a ${name}`;
}

function numberOf({ name }: Field, width: number): Buffer {
  if (name === 'KeyType') return Buffer.alloc(1);
  return name === 'Acks' ? int(-1, 2) : Buffer.alloc(width, 7);
}
