// Policies (C2SP tlog-policy): which witnesses, and how many of them must have cosigned a checkpoint. The same in Python:
// formats/policy.py and formats/quorum.py.

import { EvidenceError, toHex, utf8 } from './bytes.js'
import { parseCosignerVkey } from './cosignature.js'
import { parseVkey } from './note.js'

const NOT_ALLOWED = /[^\t\n\x20-\x7e\x80-\u{10ffff}]/u
const NUMBER = /^[1-9][0-9]{0,8}$/
const MAX_POLICY = 1 << 20
const MOST = 64

/**
 * @param {string} text
 * @returns {Promise<{logs: object[], witnesses: {name: string, key: object}[], groups: {name: string, needed: number, members: string[]}[], quorum: string | null}>}
 */
export async function parsePolicy(text) {
  if (!text.isWellFormed() || utf8(text).length > MAX_POLICY) throw new EvidenceError(`the policy is longer than ${MAX_POLICY} bytes, or is not Unicode`)
  const lines = text.split('\n')
  if (lines.pop() !== '') throw new EvidenceError(`line ${lines.length + 1} of the policy does not end with a newline`)
  const policy = { logs: [], witnesses: [], groups: [], quorums: [], names: new Set(), used: new Set() }
  for (const [index, line] of lines.entries()) {
    try {
      await take(policy, line)
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error
      throw new EvidenceError(`line ${index + 1} of the policy: ${error.message}`)
    }
  }
  const { logs, witnesses, groups, quorums } = policy
  if (quorums.length === 0) throw new EvidenceError('the policy has no quorum line')
  return { logs, witnesses, groups, quorum: quorums[0] === 'none' ? null : quorums[0] }
}

async function take(policy, line) {
  if (NOT_ALLOWED.test(line)) throw new EvidenceError('an octet is not allowed')
  const content = line.replace(/^[ \t]+|[ \t]+$/g, '')
  if (content === '' || content.startsWith('#')) return
  const [keyword, ...items] = content.split(/[ \t]+/)
  const taken = Object.hasOwn(TAKE, keyword) && TAKE[keyword]
  if (!taken) throw new EvidenceError('a line begins with log, witness, group or quorum')
  await taken(policy, items)
}

const TAKE = { log: takeLog, witness: takeWitness, group: takeGroup, quorum: takeQuorum }

async function takeLog({ logs }, items) {
  if (items.length < 1 || items.length > 2) throw new EvidenceError('a log is: log <vkey> [<url>]')
  if (items[0] !== items[0].trim()) throw new EvidenceError('a verifier key has no blanks')
  const key = await parseVkey(items[0])
  if (logs.some((log) => sameKey(log.key, key))) throw new EvidenceError('another log has the same public key')
  add(logs, { key }, 'logs')
}

async function takeWitness(policy, items) {
  if (items.length < 2 || items.length > 3) throw new EvidenceError('a witness is: witness <name> <vkey> [<url>]')
  define(policy, items[0])
  const key = await parseCosignerVkey(items[1])
  if (policy.witnesses.some((one) => sameKey(one.key, key))) throw new EvidenceError('another witness has the same public key')
  add(policy.witnesses, { name: items[0], key }, 'witnesses')
}

function takeGroup(policy, items) {
  if (items.length < 3) throw new EvidenceError('a group is: group <name> <all|any|k> <name>...')
  const [name, howMany, ...members] = items
  for (const member of members) { // before the group itself, so that it can't be its own
    known(policy, member)
    if (policy.used.has(member)) throw new EvidenceError(`${member} is in a group already`)
    policy.used.add(member)
  }
  define(policy, name)
  const needed = { any: 1, all: members.length }[howMany] ?? (NUMBER.test(howMany) ? Number(howMany) : 0)
  if (!(needed >= 1 && needed <= members.length)) throw new EvidenceError(`a group needs all, any, or a number from 1 to ${members.length} of its members`)
  add(policy.groups, { name, needed, members }, 'groups')
}

function takeQuorum(policy, items) {
  if (items.length !== 1) throw new EvidenceError('a quorum is: quorum <name>')
  if (policy.quorums.length > 0) throw new EvidenceError('there is a quorum already')
  if (items[0] !== 'none') known(policy, items[0])
  policy.quorums.push(items[0])
}

function define({ names }, name) {
  if (name === 'none') throw new EvidenceError('the name none is taken: it is the quorum without witnesses')
  if (names.has(name)) throw new EvidenceError(`the name ${name} is there already`)
  names.add(name)
}

function known({ names }, name) {
  if (!names.has(name)) throw new EvidenceError(`no witness or group ${name} is defined above`)
}

function add(found, item, what) {
  found.push(item)
  if (found.length > MOST) throw new EvidenceError(`there are more than ${MOST} ${what}`)
}

const sameKey = (one, other) => toHex(one.publicKey) === toHex(other.publicKey)

/**
 * What is missing for the quorum if these witnesses have cosigned.
 *
 * @param {Awaited<ReturnType<typeof parsePolicy>>} policy
 * @param {Set<string>} cosigned names of witnesses in the policy
 * @returns {string | null} null: nothing is
 */
export function missing({ groups, quorum }, cosigned) {
  const byName = new Map(groups.map((group) => [group.name, group]))
  const reached = (name) => (byName.has(name) ? byName.get(name).members.filter(reached).length >= byName.get(name).needed : cosigned.has(name))
  const begun = (name) => (byName.has(name) ? byName.get(name).members.some(begun) : cosigned.has(name))
  const lack = (name) => {
    const group = byName.get(name)
    if (!group) return `${name}: no line of ${name}`
    const without = group.members.filter((member) => !reached(member))
    const absent = without.filter((member) => !begun(member)).join(', ')
    const parts = [...(absent ? [`no line of ${absent}`] : []), ...without.filter(begun).map((member) => `(${lack(member)})`)]
    return `${name}: ${group.members.length - without.length} of ${group.needed}; ${parts.join('; ')}`
  }
  return quorum === null || reached(quorum) ? null : `quorum ${lack(quorum)}`
}
