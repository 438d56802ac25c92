/** What the engine asks of TypeScript: rare things, each a call. */

/** A request has met its response, or needs none (-1): only where pairs are told (pairs.ts). */
export declare function pair(connection: i32, request: i32, response: i32): void;

/** A module says that it gives up, or that a slot is to move or its connection to go: a record that was checked. */
export declare function record(connection: i32, type: i32, value: u32): void;

/** The place of a pair's key among those that the configuration has; -1 for none. The pair is `length` bytes at `at`. */
export declare function pairPlace(attribute: i32, at: i32, length: i32): i32;
/** There is no room for another row: the batch goes on its way, and is empty afterwards. */
export declare function full(): void;
/**
 * What may be shown of an attribute that holds a secret or is a pair: returns the head of its record, with the value at
 * CHANGED, or 0 for nothing. `at` is the address of its value, `protocol` the index in the table.
 */
export declare function change(protocol: i32, id: i32, at: i32, length: i32): i32;
/** Fills memory with random bytes. */
export declare function randomize(at: i32, length: i32): void;
