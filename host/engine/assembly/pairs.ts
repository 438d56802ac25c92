/** Where pairs go: each becomes a row of the batch, or, for who looks at pairing alone, is told to TypeScript. */
import { add } from './assemble';
import { pair as tell } from './host';

let areTold = false;

export function tellPairs(on: bool): void {
  areTold = on;
}

/** A request has met its response, or needs none (-1). The messages stay the caller's. */
export function pair(connection: i32, request: i32, response: i32): void {
  if (areTold) tell(connection, request, response);
  else add(connection, request, response);
}
