"""HTTP of catalog."""

from fastapi import APIRouter

router = APIRouter()
CONFLICTS: dict[str, str] = {}
