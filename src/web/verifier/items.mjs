// Items of the state in the receipt of a state entry (docs/format.md, section 13): each is proven against the state root
// that the entry says, or that there is none.

import { BOUNDS } from './bounds.mjs';
import { Refused, SLUG, concat, equal, hex, named, need, readWhole, reading, text, u64Bytes, utf8 } from './codec.mjs';
import { DOMAINS, pathWidth, readLeaf } from './domains.mjs';
import { domainOfProof, verifyNeighbours, verifyStateProof } from './trie.mjs';
import { sha256 } from './tree.mjs';

// Of a holder its slug, of a name its form: whoever made a receipt may have written anything there, and it is shown.
const HOLDER_KEYS = [text(64, SLUG), text(100)];

// The path of the item with this key, or null if it is no key of the domain.
async function placeOfKey(domain, key) {
  const { name } = DOMAINS[domain];
  if (name === 'accounts') return key.length === 64 ? sha256(concat(utf8('arborlog account'), key)) : null;
  if (name === 'keys') return key.length === 32 ? sha256(key) : null;
  if (name === 'holders') {
    const read = HOLDER_KEYS[key[0]];
    if (!read) return null;
    try {
      readWhole(read, concat(u64Bytes(BigInt(key.length - 1)), key.subarray(1)));
    } catch (error) {
      if (error instanceof Refused) return null;
      throw error;
    }
    return sha256(key);
  }
  if (key.length !== pathWidth(domain)) return null;
  const path = new Uint8Array(32);
  path.set(key);
  return path;
}

// Whether the fields of a key or a holder are those of the item with this key; of others the path says so.
function hasKey(domain, key, fields) {
  const { name } = DOMAINS[domain];
  if (name === 'keys') return equal(fields.key, key);
  return name !== 'holders' || ['holder', 'name'][key[0]] === fields.kind;
}

// The low and the high key of neighbours. Paths that are hashes have no order that means anything.
function twoKeys(domain, key) {
  const { name, at } = DOMAINS[domain];
  const width = at !== undefined || name === 'evidence' ? pathWidth(domain) : 0;
  need(width > 0 && key.length === 2 * width, 'state_item_malformed', 'its key is not two keys of a domain that has an order');
  const keys = [key.subarray(0, width), key.subarray(width)];
  need(hex(keys[0]) < hex(keys[1]), 'state_item_malformed', 'its keys do not ascend');
  return keys;
}

// An item { key, fields, proof } of the state that a state entry speaks of: the name of its domain, its key, and what its
// leaf says; of neighbours the key up to which nothing is (`upTo`), too. `found` is null where nothing is there. `genesis` is that of the ledger in hexadecimal, if one is pinned.
export async function verifyItem({ key, fields, proof }, stateRoot, genesis) {
  const { domain, neighbours } = reading('state_item_malformed', () => domainOfProof(proof));
  const { name, digested } = DOMAINS[domain];
  const keys = neighbours ? twoKeys(domain, key) : [key];
  const paths = [];
  for (const one of keys) paths.push(await placeOfKey(domain, one));
  need(!paths.includes(null), 'state_item_malformed', 'its key is none of its domain');
  const found = await named('state_item_wrong', async () => {
    const leaf = neighbours ? await verifyNeighbours(paths, proof, stateRoot)
      : (await verifyStateProof(domain, paths[0], proof, stateRoot)).found;
    if (leaf === null) {
      need(fields === null, '', 'it has fields, and nothing is there');
      return null;
    }
    const fits = (digested !== undefined) === (fields !== null) && (fields === null || fields.length <= BOUNDS.item_fields_bytes);
    need(fits, '', 'its fields are not those of the leaf');
    const said = await readLeaf(domain, paths[0], leaf, fields);
    need(hasKey(domain, keys[0], said.fields), '', 'its fields are those of another item');
    return { leaf, ...said };
  });
  const own = name !== 'accounts' || genesis === null || hex(key.subarray(0, 32)) === genesis;
  need(own, 'genesis_other', 'the account is of a ledger with another genesis than the one that was pinned');
  return { domain: name, key: keys[0], found, ...(neighbours ? { upTo: keys[1] } : {}) };
}
