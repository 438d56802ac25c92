/** What the engine asks of TypeScript: rare things, each a call. */

/** A request has met its response, or needs none (-1). */
export declare function pair(connection: i32, request: i32, response: i32): void;

/** A module says that this happened on a connection; the record, which is checked, lies at `at`. */
export declare function message(connection: i32, type: i32, flags: i32, at: i32): void;

/** Any other record than a message. */
export declare function record(connection: i32, type: i32, at: i32): void;

/** The place of a pair's key among those that the configuration has; -1 for none. The pair is `length` bytes at `at`. */
export declare function pairPlace(attribute: i32, at: i32, length: i32): i32;
