"""HTTP of policies."""

from fastapi import APIRouter

router = APIRouter()
CONFLICTS: dict[str, str] = {}
