/**
 * Why a packet or a byte of a capture did not become record bytes. What went in equals what came out plus these:
 *
 *   packets  = segments + Σ packets_*
 *   segments = segments_accepted + segments_unattached + segments_after_close
 *   bytes    = bytes_accepted + bytes_repeated + bytes_refused + bytes_after_end   (+ what is held, until the end)
 */

export function createReplayCounters() {
  return {
    /** 1 when the file ends in the middle of a packet: the usual mark of a capture that was cut off. */
    last_packet_cut: 0,
    packets: 0,
    packets_link_unsupported: 0,
    packets_not_ip: 0,
    packets_not_tcp: 0,
    /** IP fragments that wait for the rest, or never got it. */
    packets_fragment: 0,
    /** The capture kept too little of the packet to read its headers. */
    packets_truncated: 0,
    /** Lengths in the headers contradict each other. */
    packets_malformed: 0,
    segments: 0,
    segments_accepted: 0,
    /** Of connections whose start was not seen, and without a byte to show. */
    segments_unattached: 0,
    segments_after_close: 0,
    /** Accepted, but before their turn. */
    segments_held: 0,
    /** Payload of the accepted segments, as it was on the wire. */
    bytes: 0,
    /** In records. */
    bytes_accepted: 0,
    /** Bytes that were there already: retransmissions, overlaps, duplicates, keep-alive probes. */
    bytes_repeated: 0,
    /** No slot number was free: the host has not released enough of them. */
    bytes_refused: 0,
    /** Beyond a direction's end. */
    bytes_after_end: 0,
    /** Of the accepted: on the wire but not in the capture file (snap length). */
    bytes_not_captured: 0,
    gaps: 0,
    bytes_gap: 0,
    connections: 0,
    /** Without a handshake in the capture: the server's side is a guess. */
    connections_joined: 0,
    connections_evicted: 0,
    records: 0,
  };
}

export type ReplayCounters = ReturnType<typeof createReplayCounters>;
