/**
 * Which names are commands. Both directions of a connection may carry arrays of strings, so a name is what tells a
 * request from a reply where nothing else does: in identification, and while it is in doubt who asks (doubt.ts).
 * Rule: not for every message; it walks the lists.
 * https://redis.io/docs/latest/commands/
 */
import { toUpper } from './command';

/** Each list is one literal: joining strings would need a heap. */
const A_TO_F =
  ' ACL APPEND ASKING AUTH BGREWRITEAOF BGSAVE BITCOUNT BITFIELD BITFIELD_RO BITOP BITPOS BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT CLUSTER COMMAND COMMANDLOG CONFIG COPY DBSIZE DEBUG DECR DECRBY DEL DISCARD DUMP ECHO EVAL EVALSHA EVALSHA_RO EVAL_RO EXEC EXISTS EXPIRE EXPIREAT EXPIRETIME FAILOVER FCALL FCALL_RO FLUSHALL FLUSHDB FUNCTION ';
const G_TO_H =
  ' GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GEOSEARCHSTORE GET GETBIT GETDEL GETEX GETRANGE GETSET HDEL HELLO HEXISTS HEXPIRE HEXPIREAT HEXPIRETIME HGET HGETALL HGETDEL HGETEX HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSET HSETEX HSETNX HSTRLEN HTTL HVALS ';
const I_TO_O =
  ' INCR INCRBY INCRBYFLOAT INFO KEYS LASTSAVE LATENCY LCS LINDEX LINSERT LLEN LMOVE LMPOP LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM MEMORY MGET MIGRATE MODULE MONITOR MOVE MSET MSETNX MULTI OBJECT ';
const P_TO_R =
  ' PERSIST PEXPIRE PEXPIREAT PEXPIRETIME PFADD PFCOUNT PFMERGE PING PSETEX PSUBSCRIBE PSYNC PTTL PUBLISH PUBSUB PUNSUBSCRIBE QUIT RANDOMKEY READONLY READWRITE RENAME RENAMENX REPLCONF REPLICAOF RESET RESTORE RESTORE-ASKING ROLE RPOP RPOPLPUSH RPUSH RPUSHX ';
const S_TO_T =
  ' SADD SAVE SCAN SCARD SCRIPT SDIFF SDIFFSTORE SELECT SENTINEL SET SETBIT SETEX SETNX SETRANGE SHUTDOWN SINTER SINTERCARD SINTERSTORE SISMEMBER SLAVEOF SLOWLOG SMEMBERS SMISMEMBER SMOVE SORT SORT_RO SPOP SPUBLISH SRANDMEMBER SREM SSCAN SSUBSCRIBE STRLEN SUBSCRIBE SUBSTR SUNION SUNIONSTORE SUNSUBSCRIBE SWAPDB SYNC TIME TOUCH TTL TYPE ';
const U_TO_Z =
  ' UNLINK UNSUBSCRIBE UNWATCH VADD VCARD VDIM VEMB VGETATTR VINFO VLINKS VRANDMEMBER VREM VSETATTR VSIM WAIT WAITAOF WATCH XACK XACKDEL XADD XAUTOCLAIM XCLAIM XDEL XDELEX XGROUP XINFO XLEN XPENDING XRANGE XREAD XREADGROUP XREVRANGE XSETID XTRIM ZADD ZCARD ZCOUNT ZDIFF ZDIFFSTORE ZINCRBY ZINTER ZINTERCARD ZINTERSTORE ZLEXCOUNT ZMPOP ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION ZUNIONSTORE ';

/** Commands of modules are called `JSON.GET`, `FT.SEARCH` …; those of Redis itself have no full stop. */
const MODULES = ' BF CF CMS FT JSON TDIGEST TOPK TS ';
const FULL_STOP: u8 = 0x2e;

/** Whether the bytes name a command, in whatever case. */
export function isKnown(text: usize, length: u32): bool {
  if (length == 0) return false;
  if (isListed(text, length, listOf(toUpper(load<u8>(text))))) return true;
  const module = lengthOfModule(text, length);
  return module > 0 && isListed(text, module, MODULES);
}

/** The list with the names that begin with this letter. */
function listOf(letter: u32): string {
  if (letter <= 0x46) return A_TO_F;
  if (letter <= 0x48) return G_TO_H;
  if (letter <= 0x4f) return I_TO_O;
  if (letter <= 0x52) return P_TO_R;
  return letter <= 0x54 ? S_TO_T : U_TO_Z;
}

/** Bytes before the full stop; 0 when there is none early enough. */
function lengthOfModule(text: usize, length: u32): u32 {
  const limit = min<u32>(length, 8);
  for (let i: u32 = 0; i < limit; i++) if (load<u8>(text + i) == FULL_STOP) return i;
  return 0;
}

function isListed(text: usize, length: u32, list: string): bool {
  const units = changetype<usize>(list);
  let matched: u32 = 0;
  let live = false;
  for (let i: i32 = 0; i < list.length; i++) {
    const unit = <u32>load<u16>(units + (i << 1));
    if (unit == 0x20) {
      if (live && matched == length) return true;
      live = true;
      matched = 0;
    } else if (live) live = matched < length && unit == toUpper(load<u8>(text + matched++));
  }
  return false;
}
