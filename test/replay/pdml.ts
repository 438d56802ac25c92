/** Reads tshark's PDML: packets of protocols of nested fields. https://wiki.wireshark.org/PDML */

export interface PdmlField {
  readonly name: string;
  /** For people: may be cut and escaped. */
  readonly show: string;
  /** The bytes, in hex. */
  readonly value: string;
  readonly position: number;
  readonly size: number;
  readonly fields: readonly PdmlField[];
}

export interface PdmlPacket {
  readonly protos: readonly PdmlField[];
}

const TAG = /<(\/?)(packet|proto|field)\b((?:[^>"]|"[^"]*")*?)(\/?)>/g;
const ATTRIBUTE = /([a-z]+)="([^"]*)"/g;
const ENTITIES: Record<string, string> = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'", '&amp;': '&' };

export function parsePdml(xml: string): PdmlPacket[] {
  const packets: PdmlPacket[] = [];
  const open: PdmlField[][] = [];
  for (const [, slash, tag, attributes = '', selfClosing] of xml.matchAll(TAG)) {
    if (slash) {
      open.pop();
      continue;
    }
    const fields: PdmlField[] = [];
    if (tag === 'packet') packets.push({ protos: fields });
    else open.at(-1)?.push(readField(attributes, fields));
    if (!selfClosing) open.push(fields);
  }
  return packets;
}

function readField(attributes: string, fields: PdmlField[]): PdmlField {
  const values = new Map([...attributes.matchAll(ATTRIBUTE)].map(([, key, value]) => [key, value]));
  const get = (key: string) => decodeEntities(values.get(key) ?? '');
  const [position, size] = [Number(get('pos')), Number(get('size'))];
  return { name: get('name'), show: get('show'), value: get('value'), position, size, fields };
}

function decodeEntities(text: string): string {
  return text.replace(/&(?:lt|gt|quot|apos|amp);/g, (entity) => ENTITIES[entity] ?? entity);
}
