"""HTTP of response."""

from fastapi import APIRouter

router = APIRouter()
CONFLICTS: dict[str, str] = {}
