"""The contract's spelling of the team (contract: clients, List Team Members)."""

from typing import Any

from outrider.users.models import TeamMember


def team_member(member: TeamMember) -> dict[str, Any]:
    return {
        "id": member.id,
        "name": member.name,
        "email": member.email,
        "role": member.role,
        "status": "active" if member.is_active else "invited",
        "created_at": member.created_at,
    }
