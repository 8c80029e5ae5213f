"""HTTP of teams."""

from fastapi import APIRouter

router = APIRouter()
CONFLICTS: dict[str, str] = {}
