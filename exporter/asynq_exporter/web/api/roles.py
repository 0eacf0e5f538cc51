"""Who may do what: each role may do all that the ones before it may."""

from enum import Enum


class Role(Enum):
    """The role of a token; the guide's `<admin-token>` is an admin's."""

    #: Reads.
    VIEWER = "viewer"
    #: Runs, archives, deletes and stops tasks; pauses queues.
    OPERATOR = "operator"
    #: Cancels tasks with a refund: moves credits.
    ADMIN = "admin"

    def may(self, needed: "Role") -> bool:
        """Whether this role includes another."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


def sees_payloads(role: Role, lowest: str) -> bool:
    """Whether a role is shown payloads; `lowest` is a role or `nobody`."""
    return lowest != "nobody" and role.may(Role(lowest))
