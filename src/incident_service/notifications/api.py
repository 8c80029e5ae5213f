"""HTTP of notifications."""

from fastapi import APIRouter

router = APIRouter()
CONFLICTS: dict[str, str] = {}
