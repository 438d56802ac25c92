/**
 * The engine: what happens to every record, message and span, on columns in one memory. TypeScript holds the rest (what
 * happens now and then) and works on the same columns. Trusted, not metered.
 */
export { add, hasRoom, setBatch, setClockOffset } from './assemble';
export { fillId } from './ids';
export { refine, takenAttributes } from './refine';
export { setSampler } from './sampler';
export { storeTraceParent, takeTraceParent, traceParentFlags } from './trace-parent';
