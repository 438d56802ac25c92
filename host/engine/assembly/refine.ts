/**
 * What a parser says of a message becomes what a span may show: on the way from the slab into the rows, attributes that
 * are not reported are left out, and TypeScript redacts secrets and makes lists of pairs (host/spans/refine.ts). So no
 * secret stands in a batch, and whatever reads one, as text or as bytes, shows the same.
 */
import { ATTRIBUTE_VALUE, STRING_MAX } from '../../../parsers/sdk/abi';
import { CHANGE, CHANGED, COPY, DROP, RULES_ACTIONS, RULES_IDS } from '../layout/protocols';
import { copyBytes } from './copy';
import { change } from './host';

/** Of the last message: attributes that came through, and where its traceparent stands; 0: nowhere. */
export let taken: i32 = 0;
export let traceparentAt: i32 = 0;
export let traceparentLength: i32 = 0;

export function takenAttributes(): i32 {
  return taken;
}

/** What a message of so many words of attributes may come to: each byte may become three. */
export function refinedMax(words: i32, attributes: i32): i32 {
  return (words + attributes) * 3;
}

/** Takes `count` attributes that begin at `from` to `to`; returns where they end there. */
export function refine(protocol: i32, rules: i32, from: i32, count: i32, to: i32): i32 {
  const ids = load<i32>(rules, RULES_IDS);
  taken = 0;
  traceparentAt = 0;
  let at = from;
  /** Where those begin that are copied as they are, and are not yet. */
  let run = from;
  for (let left = count; left > 0; left--) {
    const id = <i32>load<u16>(at);
    const length = <i32>load<u16>(at, 2);
    const next = at + ATTRIBUTE_VALUE + ((length + 3) & ~3);
    const action = id < ids ? <i32>load<u8>(rules + id, RULES_ACTIONS) : DROP;
    if (action == COPY && length <= STRING_MAX) taken++;
    else {
      copyBytes(to, run, at - run);
      to += at - run;
      run = next;
      if (action != DROP) to = takeOther(protocol, action, at, to);
    }
    at = next;
  }
  copyBytes(to, run, at - run);
  return to + at - run;
}

function takeOther(protocol: i32, action: i32, at: i32, to: i32): i32 {
  const id = <i32>load<u16>(at);
  const length = <i32>load<u16>(at, 2);
  const value = at + ATTRIBUTE_VALUE;
  if (action == COPY) return write(to, id | (STRING_MAX << 16), value);
  if (action == CHANGE) {
    const head = change(protocol, id, value, length);
    return head == 0 ? to : write(to, head, CHANGED);
  }
  traceparentAt = value;
  traceparentLength = length;
  return to;
}

/** A record of its own for the value, whose length stands in the head. */
function write(to: i32, head: i32, value: i32): i32 {
  const length = head >>> 16;
  store<i32>(to, head);
  copyBytes(to + ATTRIBUTE_VALUE, value, length);
  taken++;
  return to + ATTRIBUTE_VALUE + ((length + 3) & ~3);
}
