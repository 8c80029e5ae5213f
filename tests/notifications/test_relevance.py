from datetime import timedelta

import pytest
from tests.fakes import NOON

from incident_service.incidents.lifecycle import Status
from incident_service.notifications.models import NotificationKind
from incident_service.notifications.relevance import Standing, is_relevant

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("status", Status)
def test_a_page_is_for_open_incidents_only(status):
    relevant = is_relevant(NotificationKind.PAGE, 1, Standing(status, 1, None), NOON)

    assert relevant == (status is Status.OPEN)


@pytest.mark.parametrize("status", Status)
def test_an_update_says_how_an_incident_stands_whatever_that_is(status):
    assert is_relevant(NotificationKind.UPDATE, 1, Standing(status, 1, None), NOON)


def test_an_update_ends_with_its_climb():
    standing = Standing(Status.ACKNOWLEDGED, 2, None)

    assert not is_relevant(NotificationKind.UPDATE, 1, standing, NOON)


def test_nobody_is_paged_about_a_snoozed_incident():
    snoozed = Standing(Status.OPEN, 1, NOON + SECOND)

    assert not is_relevant(NotificationKind.PAGE, 1, snoozed, NOON)


def test_nobody_is_paged_about_an_incident_that_has_become_quiet():
    quiet = Standing(Status.OPEN, 1, None, is_quiet=True)

    assert not is_relevant(NotificationKind.PAGE, 1, quiet, NOON)


def test_a_snooze_ends_at_its_instant():
    assert is_relevant(NotificationKind.PAGE, 1, Standing(Status.OPEN, 1, NOON), NOON)
