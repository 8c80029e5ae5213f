"""HTTP of escalation."""

from fastapi import APIRouter

router = APIRouter()
CONFLICTS: dict[str, str] = {}
