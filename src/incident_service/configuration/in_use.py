"""What keeps people and channels from going, and what follows, put together from all domains."""

from incident_service.escalation.leaving import take_back_from
from incident_service.notifications.notes import cancel_notes
from incident_service.notifications.queries import (
    say_what_waits_for_address,
    say_what_waits_for_user,
    was_told,
)
from incident_service.policies.queries import say_who_names_channel, say_who_names_user
from incident_service.schedules.queries import (
    say_where_user_takes_turns,
    say_which_schedules_name_user,
)
from incident_service.teams.hooks import PeopleHooks

USER_ON_CALL = (say_who_names_user, say_where_user_takes_turns)
USER_IN_USE = (say_who_names_user, say_which_schedules_name_user, say_what_waits_for_user)
PEOPLE_HOOKS = PeopleHooks(was_told, cancel_notes, take_back_from)
TEAM_CHANNEL_IN_USE = (say_who_names_channel, say_what_waits_for_address)
