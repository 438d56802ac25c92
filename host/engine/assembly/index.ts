/**
 * The engine: what happens to every record, message and span, on columns in one memory. TypeScript holds the rest (what
 * happens now and then) and works on the same columns. Trusted, not metered.
 */
export { CONNECTIONS_END } from '../layout/connections';
export { consume, isSound } from './consume';
export { decode } from './decode';
export { hasRoom, stageChunk } from './stage';
