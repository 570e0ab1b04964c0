"""Why frames fail: a cause with its values, from which the sentence, the count and the advice follow."""

from iota.causes.outcomes import OUTCOMES as OUTCOMES
from iota.causes.outcomes import Outcome as Outcome
from iota.causes.table import Cause as Cause
from iota.causes.templates import IN_LOG as IN_LOG
from iota.causes.templates import Values as Values
from iota.causes.why import Why as Why
from iota.causes.why import why as why
