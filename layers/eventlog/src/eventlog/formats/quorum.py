"""Whether a policy's quorum is reached, what is missing if not, and what the policy withstands (C2SP tlog-policy).

A name is a member of one group at most, so that from the quorum down a policy is a tree, whose leaves are witnesses.
"""

from collections.abc import Collection
from dataclasses import dataclass

from eventlog.formats.policy import Policy, PolicyGroup


@dataclass(frozen=True, slots=True)
class Strength:
    """What a policy withstands, in witnesses; keys of one name that make up one group are one witness.

    ``malicious``: with so many witnesses that cosign whatever they are asked to, all others being honest, a log still
    can't have two histories that both have a quorum; None if it can with none. ``unreachable``: with so many witnesses
    away there is a quorum still.
    """

    malicious: int | None
    unreachable: int


def missing(policy: Policy, cosigned: Collection[str]) -> str | None:
    """Say what is missing for the quorum if these witnesses have cosigned; None if nothing is."""
    if policy.quorum is None:
        return None
    tree = _Tree(policy)
    if tree.reached(policy.quorum, cosigned):
        return None
    return f"quorum {tree.lack(policy.quorum, cosigned)}"


def strength(policy: Policy) -> Strength | None:
    """Return what a policy withstands; None if it asks for no witness."""
    if policy.quorum is None:
        return None
    tree = _Tree(policy)
    both = tree.both(policy.quorum)
    return Strength(both - 1 if both else None, tree.blocked(policy.quorum) - 1)


def unused(policy: Policy) -> list[str]:
    """Return the names that the quorum does not lead to: whether these have cosigned makes no difference."""
    used: set[str] = set()
    for group in reversed(policy.groups):
        if group.name == policy.quorum or group.name in used:
            used |= set(group.members)
    names = [*(witness.name for witness in policy.witnesses), *(group.name for group in policy.groups)]
    return [name for name in names if name not in used and name != policy.quorum]


def scattered(policy: Policy) -> list[str]:
    """Return the key names that several witnesses have and no group of their own: ``strength`` counts each witness."""
    tree, names = _Tree(policy), [each.key.name for each in policy.witnesses]
    whole = {tree.key_name(group.members[0]): len(group.members) for group in policy.groups if tree.is_one(group)}
    return sorted({name for name in names if names.count(name) != whole.get(name, 1)})


class _Tree:
    def __init__(self, policy: Policy) -> None:
        self._groups = {group.name: group for group in policy.groups}
        self._keys = {witness.name: witness.key.name for witness in policy.witnesses}

    def reached(self, name: str, cosigned: Collection[str]) -> bool:
        group = self._groups.get(name)
        if group is None:
            return name in cosigned
        return sum(self.reached(member, cosigned) for member in group.members) >= group.needed

    def lack(self, name: str, cosigned: Collection[str]) -> str:
        """Say of a witness or a group that did not cosign what it lacks."""
        group = self._groups.get(name)
        if group is None:
            return f"{name}: no line of {name}"
        without = [member for member in group.members if not self.reached(member, cosigned)]
        # A group of which nobody has cosigned is named as a whole; of one that is half there, who is missing in it.
        begun = [member for member in without if self._any(member, cosigned)]
        absent = ", ".join(member for member in without if member not in begun)
        parts = [f"no line of {absent}"] if absent else []
        parts += [f"({self.lack(member, cosigned)})" for member in begun]
        return f"{name}: {len(group.members) - len(without)} of {group.needed}; {'; '.join(parts)}"

    def _any(self, name: str, cosigned: Collection[str]) -> bool:
        group = self._groups.get(name)
        return name in cosigned if group is None else any(self._any(member, cosigned) for member in group.members)

    def both(self, name: str) -> int:
        """Count the fewest witnesses that must cosign two histories, for this one to have cosigned both.

        A member that is asked for one history alone costs nothing, as honest ones would cosign it. Of n members, k must
        be there for either history, so at least 2k - n of them for both; the cheapest ones do.
        """
        group = self._groups.get(name)
        if group is None or self.is_one(group):
            return 1
        both = sorted(map(self.both, group.members))
        return sum(both[: max(0, 2 * group.needed - len(group.members))])

    def blocked(self, name: str) -> int:
        """Count the fewest witnesses without which this one can't have cosigned: n - k + 1 of n members."""
        group = self._groups.get(name)
        if group is None or self.is_one(group):
            return 1
        return sum(sorted(map(self.blocked, group.members))[: len(group.members) - group.needed + 1])

    def key_name(self, name: str) -> str | None:
        return self._keys.get(name)

    def is_one(self, group: PolicyGroup) -> bool:
        """Return whether a group is of keys of one name alone, which have one memory: one witness, not several."""
        names = {self._keys.get(member) for member in group.members}
        return len(names) == 1 and None not in names
