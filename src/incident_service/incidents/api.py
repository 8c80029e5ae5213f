"""HTTP of incidents."""

from fastapi import APIRouter

router = APIRouter()
CONFLICTS: dict[str, str] = {}
