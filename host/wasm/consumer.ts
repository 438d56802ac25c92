/** Between a module's instance and whoever takes what it says: the router, or a test. */
import type { HeldChunk } from './arena.ts';
import type { FailureKind } from './guest.ts';
import type { ParserInstance } from './instance.ts';

/** What a module did wrong, and the connections whose state that cost. */
export interface Failure {
  readonly kind: FailureKind;
  readonly reason: string;
  readonly connections: readonly number[];
}

/** Who hears what the engine does not do itself. */
export interface OutputConsumer {
  /** The module can make nothing more of the connection; it has its slot until the flush is over. */
  gaveUp(connection: number): void;
  /** The slot went to another class: `type` is GROW or SHRINK. */
  moved(type: number): void;
  /** There is no larger class, or no memory: the connection has left the module. */
  refused(connection: number): void;
  /** The connection has left the module and speaks something else from `rest` on. */
  upgraded(instance: ParserInstance, connection: number, protocol: number, rest: readonly HeldChunk[]): void;
  /** The connections of the failure have left the module. False: what waits in the run is to be thrown away. */
  failed(instance: ParserInstance, failure: Failure): boolean;
}
