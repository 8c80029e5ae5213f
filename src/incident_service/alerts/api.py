"""HTTP of alerts."""

from fastapi import APIRouter

router = APIRouter()
CONFLICTS: dict[str, str] = {}
