/**
 * The API keys of Kafka up to 4.x: name, highest version, and the version from which on it is flexible.
 * https://kafka.apache.org/protocol#protocol_api_keys · flexible versions: KIP-482
 *
 * A flexible version has compact lengths and tagged fields in its body, and a header with tagged fields: request header
 * v2, response header v1. Others have request header v1 and response header v0. Two exceptions: ControlledShutdown v0
 * has request header v0, which ends before the client id; responses to ApiVersions always have header v0, as a client
 * asks before it knows what the broker speaks.
 */

export const PRODUCE: u32 = 0;
export const FETCH: u32 = 1;
export const CONTROLLED_SHUTDOWN: u32 = 7;
export const OFFSET_COMMIT: u32 = 8;
export const SASL_HANDSHAKE: u32 = 17;
export const API_VERSIONS: u32 = 18;
export const TXN_OFFSET_COMMIT: u32 = 28;
export const SHARE_FETCH: u32 = 78;
export const SHARE_ACKNOWLEDGE: u32 = 79;

/** API keys below this one have a name. */
export const APIS: u32 = 94;

/** The name of each API key. The array is static data: nothing is allocated. */
// biome-ignore format: a table
const names: StaticArray<string> = [
  'Produce', 'Fetch', 'ListOffsets', 'Metadata', 'LeaderAndIsr', 'StopReplica', 'UpdateMetadata',
  'ControlledShutdown', 'OffsetCommit', 'OffsetFetch', 'FindCoordinator', 'JoinGroup', 'Heartbeat', 'LeaveGroup',
  'SyncGroup', 'DescribeGroups', 'ListGroups', 'SaslHandshake', 'ApiVersions', 'CreateTopics', 'DeleteTopics',
  'DeleteRecords', 'InitProducerId', 'OffsetForLeaderEpoch', 'AddPartitionsToTxn', 'AddOffsetsToTxn', 'EndTxn',
  'WriteTxnMarkers', 'TxnOffsetCommit', 'DescribeAcls', 'CreateAcls', 'DeleteAcls', 'DescribeConfigs', 'AlterConfigs',
  'AlterReplicaLogDirs', 'DescribeLogDirs', 'SaslAuthenticate', 'CreatePartitions', 'CreateDelegationToken',
  'RenewDelegationToken', 'ExpireDelegationToken', 'DescribeDelegationToken', 'DeleteGroups', 'ElectLeaders',
  'IncrementalAlterConfigs', 'AlterPartitionReassignments', 'ListPartitionReassignments', 'OffsetDelete',
  'DescribeClientQuotas', 'AlterClientQuotas', 'DescribeUserScramCredentials', 'AlterUserScramCredentials', 'Vote',
  'BeginQuorumEpoch', 'EndQuorumEpoch', 'DescribeQuorum', 'AlterPartition', 'UpdateFeatures', 'Envelope',
  'FetchSnapshot', 'DescribeCluster', 'DescribeProducers', 'BrokerRegistration', 'BrokerHeartbeat',
  'UnregisterBroker', 'DescribeTransactions', 'ListTransactions', 'AllocateProducerIds', 'ConsumerGroupHeartbeat',
  'ConsumerGroupDescribe', 'ControllerRegistration', 'GetTelemetrySubscriptions', 'PushTelemetry',
  'AssignReplicasToDirs', 'ListConfigResources', 'DescribeTopicPartitions', 'ShareGroupHeartbeat',
  'ShareGroupDescribe', 'ShareFetch', 'ShareAcknowledge', 'AddRaftVoter', 'RemoveRaftVoter', 'UpdateRaftVoter',
  'InitializeShareGroupState', 'ReadShareGroupState', 'WriteShareGroupState', 'DeleteShareGroupState',
  'ReadShareGroupStateSummary', 'StreamsGroupHeartbeat', 'StreamsGroupDescribe', 'DescribeShareGroupOffsets',
  'AlterShareGroupOffsets', 'DeleteShareGroupOffsets', 'GetReplicaLogInfo',
];

/** Highest version of each API key that is known here, removed ones included. */
// biome-ignore format: a table, twenty keys a line
const versions: usize = memory.data<u8>([
  13, 18, 10, 13, 7, 4, 8, 3, 10, 10, 6, 9, 4, 5, 5, 6, 5, 1, 4, 7,
  6, 2, 6, 4, 5, 4, 5, 1, 5, 3, 3, 3, 4, 2, 2, 4, 2, 3, 3, 2,
  2, 3, 2, 2, 1, 1, 0, 0, 1, 1, 0, 0, 2, 1, 1, 2, 3, 2, 0, 1,
  2, 0, 4, 1, 0, 0, 2, 0, 1, 1, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

/** First flexible version of each API key, 255 where there is none. */
// biome-ignore format: a table, twenty keys a line
const flexible: usize = memory.data<u8>([
  9, 12, 6, 9, 4, 2, 6, 3, 8, 6, 3, 6, 4, 4, 4, 5, 3, 255, 3, 5,
  4, 2, 2, 4, 3, 3, 3, 1, 3, 2, 2, 2, 4, 2, 2, 2, 2, 2, 2, 2,
  2, 2, 2, 2, 1, 0, 0, 255, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

export function isKnown(api: u32, version: u32): bool {
  return api < APIS && version <= <u32>load<u8>(versions + api);
}

/** An API key from the future is flexible, as every new one is since KIP-482. */
export function isFlexible(api: u32, version: u32): bool {
  return api >= APIS || version >= <u32>load<u8>(flexible + api);
}

/** Empty for an API key without a name here. */
export function apiName(api: u32): string {
  return api < APIS ? unchecked(names[api]) : '';
}
