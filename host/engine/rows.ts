/** What stands in an engine's rows (layout/spans.ts), until the next batch is put there. */
import type { SpanProtocol } from '../spans/protocols.ts';
import type { Resource } from '../spans/span.ts';
import type { Engine } from './engine.ts';

export interface Rows {
  readonly engine: Engine;
  readonly length: number;
  /** Words of attributes. */
  readonly words: number;
  /** By the numbers in ROW_PROTOCOL. */
  readonly protocols: readonly SpanProtocol[];
  /** By the numbers in ROW_RESOURCE, which are below RESOURCES_MAX. A number may stand for another later. */
  resourceOf(number: number): Resource;
}
