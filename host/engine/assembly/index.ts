/**
 * The engine: what happens to every record, message and span, on columns in one memory. TypeScript holds the rest (what
 * happens now and then) and works on the same columns. Trusted, not metered.
 */
export { CONNECTIONS_END } from '../layout/connections';
export { add, hasRoom as hasRowRoom, setBatch, setClockOffset } from './assemble';
export { setNow } from './clock';
export { consume, isSound } from './consume';
export { decode } from './decode';
export {
  define,
  definitionsKept,
  forget,
  isPartial,
  merge,
  mergedAttributes,
  mergedWords,
  undefine,
} from './definitions';
export { distrustSilence } from './fifo';
export { fillId } from './ids';
export { giveMessage, hasShare, nsFromLastToFirst, takeMessage, used as messagesUsed } from './messages';
export { clearSeries, dropSeries, measure, settleSeries } from './metrics';
export { encodeRows, selectRows } from './otlp/request';
export { close, desync, initPairing, message, open, settle } from './pairing';
export { tellPairs } from './pairs';
export * from './parts';
export { refine, refinedMax, takenAttributes } from './refine';
export { setSampler } from './sampler';
export { share } from './slab';
export { hasRoom, stageChunk } from './stage';
export { storeTraceParent, takeTraceParent, traceParentFlags } from './trace-parent';
