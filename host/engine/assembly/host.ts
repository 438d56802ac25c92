/** What the engine asks of TypeScript: rare things, each a call. */

/** A request has met its response, or needs none (-1). */
export declare function pair(connection: i32, request: i32, response: i32): void;
