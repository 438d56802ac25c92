/** Span flags of host/spans/batch.ts. */
export const SERVER: u32 = 1;
export const ERROR: u32 = 2;
export const PARTIAL: u32 = 4;
export const HAS_PARENT: u32 = 8;
export const SUSPECT: u32 = 16;
export const ONE_WAY: u32 = 32;
