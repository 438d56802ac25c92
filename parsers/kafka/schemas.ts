/**
 * What requests and responses look like in all their versions, as texts that walk.ts follows over the bytes: one letter
 * for each field, up to the last field that is of interest. https://kafka.apache.org/protocol#protocol_messages
 *
 *     b h i l u     1, 2, 4, 8, 16 bytes                 [ … ]    array of structs, with tagged fields if flexible
 *     s y r         string, bytes, record batches        ( … )    array of single fields
 *     3+x 0-7x      field or array x, in versions        { … }    struct, with tagged fields if flexible; ?{ … } may be null
 *
 * Capital letters are fields that are reported:
 *
 *     E  error code          T U  topic: name, id          G  consumer group      K Y  coordinator: key, type of key
 *     A  acks                P    partition                X  transactional id    N D  topic that is defined: name, id
 *     O  offset
 *
 * Requests among brokers that say nothing of interest, and what nobody knows, are empty: they are passed over.
 */
import { APIS } from './apis';

// biome-ignore format: a table
const requests: StaticArray<string> = [
  '3+XAi[0-12T13+U[Pr]]', // 0 Produce
  '0-14iii3+i4+b7+i7+i[0-12T13+U[P9+il12+i5+li]]', // 1 Fetch
  'i2+b[T[P4+il0-0i]]', // 2 ListOffsets
  '[10+UT]', // 3 Metadata
  '', // 4 LeaderAndIsr
  '', // 5 StopReplica
  '', // 6 UpdateMetadata
  '', // 7 ControlledShutdown
  'G1+i1+s7+s2-4l[0-9T10+U[Pl6+i1-1ls]]', // 8 OffsetCommit
  '0-7G0-7[T(P)]8+[G9+s9+i[8-9T10+U(P)]]', // 9 OffsetFetch
  '0-3K1+Y4+(K)', // 10 FindCoordinator
  'G', // 11 JoinGroup
  'G', // 12 Heartbeat
  'G', // 13 LeaveGroup
  'G', // 14 SyncGroup
  '(G)', // 15 DescribeGroups
  '', // 16 ListGroups
  '', // 17 SaslHandshake
  '', // 18 ApiVersions
  '[Tih[i(i)][ss]]', // 19 CreateTopics
  '6+[TU]0-5(T)', // 20 DeleteTopics
  '[T[Pl]]', // 21 DeleteRecords
  'X', // 22 InitProducerId
  '3+i[T[P2+ii]]', // 23 OffsetForLeaderEpoch
  '4+[Xlhb[T(P)]]0-3X0-3l0-3h[T(P)]', // 24 AddPartitionsToTxn
  'XlhG', // 25 AddOffsetsToTxn
  'X', // 26 EndTxn
  '', // 27 WriteTxnMarkers
  'XGlh3+i3+s3+s[T[Pl2+is]]', // 28 TxnOffsetCommit
  '', // 29 DescribeAcls
  '', // 30 CreateAcls
  '', // 31 DeleteAcls
  '', // 32 DescribeConfigs
  '', // 33 AlterConfigs
  '', // 34 AlterReplicaLogDirs
  '[T(i)]', // 35 DescribeLogDirs
  '', // 36 SaslAuthenticate
  '[Ti[(i)]]', // 37 CreatePartitions
  '', // 38 CreateDelegationToken
  '', // 39 RenewDelegationToken
  '', // 40 ExpireDelegationToken
  '', // 41 DescribeDelegationToken
  '(G)', // 42 DeleteGroups
  '1+b[T(i)]', // 43 ElectLeaders
  '', // 44 IncrementalAlterConfigs
  'i1+b[T[i(i)]]', // 45 AlterPartitionReassignments
  'i[T(i)]', // 46 ListPartitionReassignments
  'G[T[i]]', // 47 OffsetDelete
  '', // 48 DescribeClientQuotas
  '', // 49 AlterClientQuotas
  '', // 50 DescribeUserScramCredentials
  '', // 51 AlterUserScramCredentials
  '', // 52 Vote
  '', // 53 BeginQuorumEpoch
  '', // 54 EndQuorumEpoch
  '', // 55 DescribeQuorum
  '', // 56 AlterPartition
  '', // 57 UpdateFeatures
  '', // 58 Envelope
  '', // 59 FetchSnapshot
  '', // 60 DescribeCluster
  '[T(P)]', // 61 DescribeProducers
  '', // 62 BrokerRegistration
  '', // 63 BrokerHeartbeat
  '', // 64 UnregisterBroker
  '(X)', // 65 DescribeTransactions
  '', // 66 ListTransactions
  '', // 67 AllocateProducerIds
  'G', // 68 ConsumerGroupHeartbeat
  '(G)', // 69 ConsumerGroupDescribe
  '', // 70 ControllerRegistration
  '', // 71 GetTelemetrySubscriptions
  '', // 72 PushTelemetry
  '', // 73 AssignReplicasToDirs
  '', // 74 ListConfigResources
  '[T]', // 75 DescribeTopicPartitions
  'G', // 76 ShareGroupHeartbeat
  '(G)', // 77 ShareGroupDescribe
  'Gsiiii1+i1+i[U[P0-0i[ll(b)]]]', // 78 ShareFetch
  'Gsi[U[P[ll(b)]]]', // 79 ShareAcknowledge
  '', // 80 AddRaftVoter
  '', // 81 RemoveRaftVoter
  '', // 82 UpdateRaftVoter
  '', // 83 InitializeShareGroupState
  '', // 84 ReadShareGroupState
  '', // 85 WriteShareGroupState
  '', // 86 DeleteShareGroupState
  '', // 87 ReadShareGroupStateSummary
  'G', // 88 StreamsGroupHeartbeat
  '(G)', // 89 StreamsGroupDescribe
  '[G[T(i)]]', // 90 DescribeShareGroupOffsets
  'G[T[il]]', // 91 AlterShareGroupOffsets
  'G[T]', // 92 DeleteShareGroupOffsets
  '', // 93 GetReplicaLogInfo
];

// biome-ignore format: a table
const responses: StaticArray<string> = [
  '[0-12s13+u[iEO2+l5+l8+[is]8+s]]', // 0 Produce
  '1+i7+E7+i[0-12T13+U[PEl4+l5+l4+[ll]11+ir]]', // 1 Fetch
  '2+i[s[iE0-0(l)1+l1+l4+i]]', // 2 ListOffsets
  '3+i[isi1+s]2+s1+i[EN10+D1+b[Eii7+i(i)(i)5+(i)]8+i]8-10i13+E', // 3 Metadata
  'E0-4[siE]5+[u[iE]]', // 4 LeaderAndIsr
  'E[siE]', // 5 StopReplica
  'E', // 6 UpdateMetadata
  'E', // 7 ControlledShutdown
  '3+i[0-9s10+u[iE]]', // 8 OffsetCommit
  '3+i0-7[s[il5-7isE]]2-7E8+[s[8-9s10+u[ilisE]]E]', // 9 OffsetFetch
  '1+i0-3E4+[sisiEs]', // 10 FindCoordinator
  '2+iE', // 11 JoinGroup
  '1+iE', // 12 Heartbeat
  '1+iE3+[ssE]', // 13 LeaveGroup
  '1+iE', // 14 SyncGroup
  '1+i[E6+sssss[s4+sssyy]3+i]', // 15 DescribeGroups
  '1+iE', // 16 ListGroups
  'E', // 17 SaslHandshake
  'E', // 18 ApiVersions
  '2+i[N7+DE1+s5+i5+h5+[ssbbb]]', // 19 CreateTopics
  '1+i[s6+uE5+s]', // 20 DeleteTopics
  'i[s[ilE]]', // 21 DeleteRecords
  'iE', // 22 InitProducerId
  '2+i[s[Ei1+il]]', // 23 OffsetForLeaderEpoch
  'i4+E4+[s[s[iE]]]0-3[s[iE]]', // 24 AddPartitionsToTxn
  'iE', // 25 AddOffsetsToTxn
  'iE', // 26 EndTxn
  '[l[s[iE]]]', // 27 WriteTxnMarkers
  'i[s[iE]]', // 28 TxnOffsetCommit
  'iE', // 29 DescribeAcls
  'i[Es]', // 30 CreateAcls
  'i[Es[Esbs1+bssbb]]', // 31 DeleteAcls
  'i[Esbs[ssb0-0b1+bb1+[ssb]3+b3+s]]', // 32 DescribeConfigs
  'i[Esbs]', // 33 AlterConfigs
  'i[s[iE]]', // 34 AlterReplicaLogDirs
  'i3+E[Es[s[illb]]4+l4+l]', // 35 DescribeLogDirs
  'E', // 36 SaslAuthenticate
  'i[sEs]', // 37 CreatePartitions
  'E', // 38 CreateDelegationToken
  'E', // 39 RenewDelegationToken
  'E', // 40 ExpireDelegationToken
  'E', // 41 DescribeDelegationToken
  'i[sE]', // 42 DeleteGroups
  'i1+E[s[iEs]]', // 43 ElectLeaders
  'i[Esbs]', // 44 IncrementalAlterConfigs
  'i1+bEs[s[iEs]]', // 45 AlterPartitionReassignments
  'iE', // 46 ListPartitionReassignments
  'Ei[s[iE]]', // 47 OffsetDelete
  'iE', // 48 DescribeClientQuotas
  'i[Es[ss]]', // 49 AlterClientQuotas
  'iEs[sEs[bi]]', // 50 DescribeUserScramCredentials
  'i[sEs]', // 51 AlterUserScramCredentials
  'E[s[iEiib]]', // 52 Vote
  'E[s[iEii]]', // 53 BeginQuorumEpoch
  'E[s[iEii]]', // 54 EndQuorumEpoch
  'E2+s[s[iE2+siil[i2+ul1+l1+l][i2+ul1+l1+l]]]', // 55 DescribeQuorum
  'iE[0-1s2+u[iEii(i)1+bi]]', // 56 AlterPartition
  'iEs0-1[sEs]', // 57 UpdateFeatures
  'yE', // 58 Envelope
  'iE[s[iE{li}lly]]', // 59 FetchSnapshot
  'iE', // 60 DescribeCluster
  'i[s[iEs[liilil]]]', // 61 DescribeProducers
  'iE', // 62 BrokerRegistration
  'iE', // 63 BrokerHeartbeat
  'iE', // 64 UnregisterBroker
  'i[Essillh[s(i)]]', // 65 DescribeTransactions
  'iE', // 66 ListTransactions
  'iE', // 67 AllocateProducerIds
  'iE', // 68 ConsumerGroupHeartbeat
  'i[Esssiis[sssiss(s)s{[us(i)]}{[us(i)]}1+b]i]', // 69 ConsumerGroupDescribe
  'iE', // 70 ControllerRegistration
  'iE', // 71 GetTelemetrySubscriptions
  'iE', // 72 PushTelemetry
  'iE[u[u[iE]]]', // 73 AssignReplicasToDirs
  'iE', // 74 ListConfigResources
  'i[ENDb[Eiii(i)(i)(i)(i)(i)]i]', // 75 DescribeTopicPartitions
  'iE', // 76 ShareGroupHeartbeat
  'i[Esssiis[ssiss(s){[us(i)]}]i]', // 77 ShareGroupDescribe
  'iEs1+i[U[PEsEs{ii}r[llh]]]', // 78 ShareFetch
  'iEs[u[iEs{ii}]]', // 79 ShareAcknowledge
  'iE', // 80 AddRaftVoter
  'iE', // 81 RemoveRaftVoter
  'iE', // 82 UpdateRaftVoter
  '[u[iEs]]', // 83 InitializeShareGroupState
  '[u[iEsil[llbh]]]', // 84 ReadShareGroupState
  '[u[iEs]]', // 85 WriteShareGroupState
  '[u[iEs]]', // 86 DeleteShareGroupState
  '[u[iEsiil]]', // 87 ReadShareGroupStateSummary
  'iE', // 88 StreamsGroupHeartbeat
  'i[Esssii?{i[s(s)(s)[sih[ss]][sih[ss]]]}[sissssis?{sh}[ss][sil][sil]{[s(i)][s(i)][s(i)]}{[s(i)][s(i)][s(i)]}b]i]', // 89 StreamsGroupDescribe
  'i[s[su[iliEs]]Es]', // 90 DescribeShareGroupOffsets
  'iEs[su[iEs]]', // 91 AlterShareGroupOffsets
  'iEs[suEs]', // 92 DeleteShareGroupOffsets
  '', // 93 GetReplicaLogInfo
];

export function requestSchema(api: u32): string {
  return api < APIS ? unchecked(requests[api]) : '';
}

export function responseSchema(api: u32): string {
  return api < APIS ? unchecked(responses[api]) : '';
}
