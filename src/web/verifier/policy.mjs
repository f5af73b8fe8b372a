// Policies (docs/format.md, section 6.14.1; c2sp.org/tlog-policy): their form, which is a part of what is
// canonical. Nobody obeys one yet.

import { hex, need, reading } from './codec.mjs';
import { LOG, MLDSA, WITNESS, readVkey } from './note.mjs';

// What of a statement its bytes alone don't tell.
export async function checkStatement(statement) {
  if (statement.kind !== 'policy') return;
  try {
    await checkPolicy(statement.policy);
  } catch (error) {
    reading('not_canonical', () => {
      throw error;
    });
  }
}

async function checkPolicy(policy) {
  const holds = (condition, what) => need(condition, 'not_canonical', what);
  holds(policy.endsWith('\n'), "a policy's last line has no newline");
  const [logKeys, witnessKeys, defined, members] = [new Set(), new Set(), new Set(), new Set()];
  const add = (item, to, what) => {
    holds(!to.has(item), `${what} stands twice in a policy`);
    to.add(item);
  };
  const define = (name) => {
    holds(name !== 'none', 'a witness or group is named none');
    add(name, defined, `the name ${name}`);
  };
  const known = (name) => holds(defined.has(name), `no line before defines ${name}`);
  let quorums = 0;
  for (const line of policy.slice(0, -1).split('\n')) {
    const [what, ...rest] = line.split(/[ \t]/).filter((word) => word !== '');
    if (what === undefined || what.startsWith('#')) continue;
    if (what === 'log' && [1, 2].includes(rest.length)) {
      add(hex((await readVkey(rest[0], [LOG, MLDSA])).key), logKeys, "a log's key");
    } else if (what === 'witness' && [2, 3].includes(rest.length)) {
      define(rest[0]);
      add(hex((await readVkey(rest[1], [WITNESS, MLDSA])).key), witnessKeys, "a witness's key");
    } else if (what === 'group' && rest.length >= 3) {
      const [name, threshold, ...names] = rest;
      for (const member of names) {
        known(member);
        add(member, members, `the member ${member}`);
      }
      const plain = /^[1-9][0-9]*$/.test(threshold) && BigInt(threshold) <= BigInt(names.length);
      holds(plain || ['all', 'any'].includes(threshold), "a group's threshold is not all, any, or a number of members");
      define(name);
    } else if (what === 'quorum' && rest.length === 1) {
      if (rest[0] !== 'none') known(rest[0]);
      quorums += 1;
    } else {
      holds(false, `a line of a policy is none of log, witness, group and quorum: ${line}`);
    }
  }
  holds(quorums === 1, 'a policy has not just one quorum line');
}
